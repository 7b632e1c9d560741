"""The dry run: figures that can be checked by hand, and what it refuses."""

import pytest

from vdiff_jax import sample, train
from vdiff_jax.config import Config, Data, Train
from vdiff_jax.errors import ConfigError, DataError
from vdiff_jax.training import forecast as module
from vdiff_jax.training.forecast import forecast
from vdiff_jax.training.step import initial

CONFIG = Config(data=Data(frames=3, patch=32, batch=2), train=Train(size="tiny", unroll=3))


@pytest.fixture(scope="module")
def report() -> str:
    return forecast(CONFIG, sample.TRUTH)


def test_it_says_what_a_step_takes(report):
    definition, state = initial(CONFIG.train)
    cost = module._cost(CONFIG, definition, state, module._compile(CONFIG, definition, state))
    # The stem's convolution on the half-size grid, forward and for its kernel (its input needs no gradient).
    stem = 2 * 2 * (16 * 16) * 9 * 52 * 8 * CONFIG.data.batch * CONFIG.data.frames
    # All parameters at the finest level's places, forward and backward both ways.
    most = 3 * 2 * (16 * 16) * 12104 * CONFIG.data.batch * CONFIG.data.frames
    assert stem < cost.flops < 1.5 * most
    assert 0 < cost.activations < cost.memory
    assert f"{cost.flops:.3g} FLOPs" in report
    for part in (
        "parameters: 12,104",
        "patch = 32",
        "devices: 1 × cpu",
        "P('data',)",
        "TPU v5e",
        "images/s",
        "1 files",
    ):
        assert part in report


def test_chips_are_bound_by_the_slower_of_the_two():
    chip = module.Chip(bfloat16=2, float32=1, bandwidth=100, memory=1)
    computing = module._rate(CONFIG, module.Cost(1e12, 1e9, 0, 0), chip, frames=6)
    moving = module._rate(CONFIG, module.Cost(1e10, 1e11, 0, 2 * 10**9), chip, frames=6)
    assert computing.split() == ["6", "images/s,", "bound", "by", "FLOPs"]
    assert "memory's speed; 1 GB are too few" in moving


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"train\.accumulate"):
        module._check_memory(module.Cost(1, 1, 1, 10**15))
    with pytest.raises(DataError, match="nowhere"):
        forecast(CONFIG, "nowhere")
    with pytest.raises(ConfigError, match="multiple of 1 devices times 3 parts: take 3"):
        forecast(Config(data=CONFIG.data, train=Train(accumulate=3)), sample.TRUTH)


def test_the_command_prints_it_and_leaves_nothing_behind(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
    size = ["--train.size=tiny", "--train.unroll=3", "--data.frames=3", "--data.patch=32", "--data.batch", "2"]
    assert train.main(["--dry-run", "--workdir", str(tmp_path / "run"), *size]) == 0
    assert "parameters: 12,104" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert train.main(["--dry-run", "--data", str(tmp_path / "nowhere"), *size]) == 1
    assert "nowhere" in capsys.readouterr().err
