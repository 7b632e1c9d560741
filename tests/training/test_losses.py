"""Losses: they grow with the error, and weigh luma and chroma as they say."""

import jax
import numpy as np
import pytest

from vdiff_jax import config
from vdiff_jax.errors import ConfigError
from vdiff_jax.training.losses import LOSSES


@pytest.fixture(scope="module")
def truth():
    return jax.device_put(np.random.default_rng(0).random((2, 8, 8, 3), np.float32))


def off(truth, *by):
    return jax.device_put(truth + np.array(by, np.float32).reshape(1, 1, 1, 3))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_grow_with_the_error(truth, name):
    loss = jax.jit(LOSSES[name])
    exact, near, far = (float(loss(off(truth, e, e, e), truth)) for e in (0, 0.01, 0.1))
    assert exact < near < far


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_the_clips(name):
    rng = np.random.default_rng(1)
    clips, truths = (rng.random((4, 2, 8, 8, 3), np.float32) for _ in range(2))
    loss = jax.jit(LOSSES[name])
    halves = [loss(clips[part], truths[part]) for part in (slice(0, 2), slice(2, 4))]
    np.testing.assert_allclose(loss(clips, truths), np.mean(halves), rtol=1e-5)


def test_psnr_falls_by_one_for_ten_decibels(truth):
    far, near = (float(LOSSES["psnr"](off(truth, e, 0, 0), truth)) for e in (0.1, 0.1 / 10**0.5))
    assert far - near == pytest.approx(1, abs=0.01)


def test_psnr_y_weights_luma_four_times_as_much_as_chroma(truth):
    base, luma, chroma = (
        float(LOSSES["psnr_y"](off(truth, *by), truth))
        for by in ((0.02, 0.05, 0.05), (0.04, 0.05, 0.05), (0.02, 0.1, 0.1))
    )
    assert luma - base == pytest.approx(4 * (chroma - base), rel=0.02)


def test_a_configuration_may_name_each_loss_and_no_other():
    for name in LOSSES:
        assert config.load("configs/base.toml", {"train.loss": name}).train.loss == name
    with pytest.raises(ConfigError, match="psnr_y"):
        config.load("configs/base.toml", {"train.loss": "psnr_u"})
