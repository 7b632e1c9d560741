"""The dry run: its figures agree with a count by hand, and it refuses what cannot run."""

import re
import time

import pytest

from vdiff_jax import sample, train
from vdiff_jax.config import Config, Train
from vdiff_jax.errors import ConfigError, DataError
from vdiff_jax.training import dry_run as module
from vdiff_jax.training.dry_run import dry_run


@pytest.fixture(scope="module", autouse=True)
def lowered(small):
    """The lowered step, which all tests share: to trace it takes longer than all else in them."""
    made, step_of = [], module._lowered

    def once(config, *network):
        assert (config.data.frames, config.data.patch, config.data.batch) == (2, 16, 8)
        assert config.train.size == small.train.size
        made[:] = made or [step_of(config, *network)]
        return made[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_lowered", once)
        yield made


class Clips:
    """Twenty clips a second in each thread."""

    seconds = 0.05

    def __init__(self, split, data, tasks, *, seed):
        assert len(split.photos) > 1
        assert list(tasks) == ["denoise"]

    def __call__(self, number):
        time.sleep(self.seconds)


class FastClips(Clips):
    seconds = 0


@pytest.fixture(scope="module")
def report(small) -> str:
    return dry_run(small, sample.TRUTH)


def test_the_cost_of_a_step_agrees_with_a_count_by_hand(small, report, lowered):
    cost = module._cost(small, lowered[0], lowered[0].compile(compiler_options=module._quickly()))
    pixels = 8 * 8 * small.data.batch * small.data.frames
    # At least the stem's convolution on the half-size grid, forward and for its kernel's gradient.
    stem = 2 * 2 * pixels * 9 * 52 * 8
    # At most 1.5 times all parameters at every pixel of that grid, forward and for two gradients.
    most = 3 * 2 * pixels * 12104
    assert stem < cost.flops < 1.5 * most
    assert 0 < cost.activations < cost.memory
    assert f"{cost.flops / 1e9:.3g} GFLOP of arithmetic" in report
    for part in (
        "parameters: 12,104",
        "patch = 16",
        "devices: 1 × cpu",
        "P('data',)",
        "TPU v5e",
        "frames/s",
        "1 files",
    ):
        assert part in report


def test_a_chip_is_limited_by_arithmetic_or_by_memory_bandwidth(small):
    chip = module.Chip(bfloat16=2, float32=1, bandwidth=100, memory=1)
    computing = module._upper_bound(small, module.Cost(1e12, 1e9, 0, 0), chip, frames=6)
    moving = module._upper_bound(small, module.Cost(1e10, 1e11, 0, 2 * 10**9), chip, frames=6)
    assert computing.split() == ["6", "frames/s,", "limited", "by", "FLOPs"]
    assert "memory bandwidth; does not fit its 1 GB" in moving


def test_what_cannot_run_is_refused(small):
    with pytest.raises(ConfigError, match=r"train\.accumulate"):
        module._check_memory(module.Cost(1, 1, 1, 10**15))
    with pytest.raises(DataError, match="nowhere"):
        dry_run(small, "nowhere")
    with pytest.raises(ConfigError, match="multiple of 1 devices times 3 parts: pass 9"):
        dry_run(Config(data=small.data, train=Train(accumulate=3)), sample.TRUTH)


def test_the_command_prints_the_report_and_makes_no_workdir(capsys, tmp_path):
    size = [
        "--train.size=tiny",
        "--train.optimiser=adam",
        "--train.unroll=2",
        "--data.frames=2",
        "--data.patch=16",
        "--data.batch",
        "8",
    ]
    assert train.main(["--dry-run", "--workdir", str(tmp_path / "run"), *size]) == 0
    assert "parameters: 12,104" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert train.main(["--dry-run", "--data", str(tmp_path / "nowhere"), *size]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_measure_times_steps_and_the_quick_compilation_needs_the_same_memory(small, report, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "_quickly", lambda: asked.append(1))
    monkeypatch.setattr(module, "Examples", Clips)
    monkeypatch.setattr(module, "DeviceExamples", FastClips)
    measured = dry_run(small, sample.TRUTH, measure=True)
    assert asked
    optimised, quick = (
        [line for line in text.splitlines() if "of memory in all" in line] for text in (measured, report)
    )
    assert optimised == quick
    assert "measured here: " in measured
    assert "12 steps take" in measured
    slow, fast = map(float, re.search(r"(\S+) frames/s with data.where = host, (\S+) with device", measured).groups())
    assert small.data.frames / Clips.seconds >= slow / small.data.threads > 0
    assert fast > slow
