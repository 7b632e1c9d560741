"""The dry run: its figures agree with a count by hand, and it refuses what cannot run."""

import pytest

from vdiff_jax import sample, train
from vdiff_jax.config import Config, Data, Train
from vdiff_jax.errors import ConfigError, DataError
from vdiff_jax.training import dry_run as module
from vdiff_jax.training.dry_run import dry_run
from vdiff_jax.training.step import initial

CONFIG = Config(data=Data(frames=3, patch=32, batch=2), train=Train(size="tiny", optimiser="adam", unroll=3))


@pytest.fixture(scope="module")
def report() -> str:
    return dry_run(CONFIG, sample.TRUTH)


def test_the_cost_of_a_step_agrees_with_a_count_by_hand(report):
    lowered = module._lowered(CONFIG, *initial(CONFIG.train))
    cost = module._cost(CONFIG, lowered, lowered.compile(compiler_options=module._quickly()))
    # At least the stem's convolution on the half-size grid, forward and for its kernel's gradient.
    stem = 2 * 2 * (16 * 16) * 9 * 52 * 8 * CONFIG.data.batch * CONFIG.data.frames
    # At most 1.5 times all parameters at every pixel of that grid, forward and for two gradients.
    most = 3 * 2 * (16 * 16) * 12104 * CONFIG.data.batch * CONFIG.data.frames
    assert stem < cost.flops < 1.5 * most
    assert 0 < cost.activations < cost.memory
    assert f"{cost.flops / 1e9:.3g} GFLOP of arithmetic" in report
    for part in (
        "parameters: 12,104",
        "patch = 32",
        "devices: 1 × cpu",
        "P('data',)",
        "TPU v5e",
        "frames/s",
        "1 files",
    ):
        assert part in report


def test_a_chip_is_limited_by_arithmetic_or_by_memory_bandwidth():
    chip = module.Chip(bfloat16=2, float32=1, bandwidth=100, memory=1)
    computing = module._upper_bound(CONFIG, module.Cost(1e12, 1e9, 0, 0), chip, frames=6)
    moving = module._upper_bound(CONFIG, module.Cost(1e10, 1e11, 0, 2 * 10**9), chip, frames=6)
    assert computing.split() == ["6", "frames/s,", "limited", "by", "FLOPs"]
    assert "memory bandwidth; does not fit its 1 GB" in moving


def test_what_cannot_run_is_refused():
    with pytest.raises(ConfigError, match=r"train\.accumulate"):
        module._check_memory(module.Cost(1, 1, 1, 10**15))
    with pytest.raises(DataError, match="nowhere"):
        dry_run(CONFIG, "nowhere")
    with pytest.raises(ConfigError, match="multiple of 1 devices times 3 parts: pass 3"):
        dry_run(Config(data=CONFIG.data, train=Train(accumulate=3)), sample.TRUTH)


def test_the_command_prints_the_report_and_makes_no_workdir(capsys, tmp_path):
    size = [
        "--train.size=tiny",
        "--train.optimiser=adam",
        "--train.unroll=3",
        "--data.frames=3",
        "--data.patch=32",
        "--data.batch",
        "2",
    ]
    assert train.main(["--dry-run", "--workdir", str(tmp_path / "run"), *size]) == 0
    assert "parameters: 12,104" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert train.main(["--dry-run", "--data", str(tmp_path / "nowhere"), *size]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_measure_times_steps_and_the_quick_compilation_needs_the_same_memory(capsys, monkeypatch):
    measured = []
    monkeypatch.setattr(module, "_quickly", lambda: measured.append(1))
    report = dry_run(CONFIG, sample.TRUTH, measure=True)
    assert measured
    optimised = [line for line in report.splitlines() if "of memory in all" in line]
    quick = [line for line in dry_run(CONFIG, sample.TRUTH).splitlines() if "of memory in all" in line]
    assert optimised == quick
    assert "measured here: " in report
    assert "2,000 steps take" in report
