"""What is decided for a video, above all for one that tells little or needs nothing."""

import numpy as np
import pytest

from vdiff_jax import weights
from vdiff_jax.errors import OptionError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.training.step import build

GRAY = PixelFormat(kind="gray", full_range=True)


def plan_of(task, frames, **wanted) -> Plan:
    return make_plan(task, Request(frames=frames, pixels=GRAY, **wanted))


def frames(count=4, size=(64, 96), noise=0.0, quantiser=None):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    smooth = 128 + 60 * np.sin(x / 19) * np.cos(y / 23)
    pictures = [np.clip(smooth + rng.normal(0, noise, size), 0, 255).astype(np.uint8) for _ in range(count)]
    return [Frame((picture,), n, quantiser=quantiser) for n, picture in enumerate(pictures)]


def test_each_frames_error_is_its_quantisers():
    plan = plan_of("deblock", frames(quantiser=36.0), codec="h264")
    assert plan.tasks == ("deblock",)
    assert "36.0" in plan.why
    sigma = plan.sigma_of(np.array([30.0, 40.0, np.nan], np.float32))
    assert sigma[0, 0] < plan.sigma[0] < sigma[1, 0]
    np.testing.assert_array_equal(sigma[2], plan.sigma)
    assert (sigma[:, 1:] == 0).all()


def test_quantisers_that_cannot_be_read_are_estimated_and_that_is_said():
    plan = plan_of("deblock", frames(noise=6), codec="av1")
    assert "carries no quantisers" in plan.why
    assert "estimated from the frames" in plan.why
    assert plan.codec is None


def test_auto_deblocks_what_is_visibly_compressed_alone():
    assert plan_of("auto", frames(quantiser=40.0), codec="h264").tasks == ("deblock",)
    fine = plan_of("auto", frames(quantiser=16.0), codec="h264")
    assert fine.tasks == ()
    assert "clean enough to be left as it is" in fine.why
    assert plan_of("auto", frames(noise=20, quantiser=33.0), codec="h264").tasks == ("denoise",)


def test_auto_deblocks_without_quantisers_only_where_blocks_are_seen():
    """A texture is not taken for coding errors; blocks of 8 pixels are, with a bounded sigma."""
    rng = np.random.default_rng(0)
    texture = [Frame((rng.integers(0, 256, (64, 96)).astype(np.uint8),), n) for n in range(2)]
    assert plan_of("deblock", texture, codec="mjpeg").tasks == ("deblock",)
    assert plan_of("auto", texture, codec="mjpeg").tasks != ("deblock",)
    blocks = np.kron(rng.integers(60, 190, (8, 12)), np.ones((8, 8), int))
    plan = plan_of("auto", [Frame((blocks.astype(np.uint8),), n) for n in range(2)], codec="mjpeg")
    assert plan.tasks == ("deblock",)
    assert plan.sigma[0] == pytest.approx(5 / 255)


def test_auto_suggests_deblock_for_a_faint_coding_error():
    """A quantiser below the visible ones, or steps between blocks that are less than twice those within them."""
    faint = plan_of("auto", frames(quantiser=30.0), codec="h264")
    assert faint.tasks == ()
    assert faint.suggestions == (
        "the mean h264 quantiser is 30.0, so an error of 3.6 is expected: add --task deblock to remove it",
    )
    y, x = np.mgrid[:64, :96]
    ramp = (40 + 2 * (x + y) * 0.5 + 0.7 * (x // 8 + y // 8)).astype(np.uint8)
    blocks = plan_of("auto", [Frame((ramp,), n) for n in range(2)], codec="mjpeg")
    assert blocks.tasks == ()
    assert "blocks of 8 pixels" in blocks.suggestions[0]
    assert plan_of("auto", frames(quantiser=20.0), codec="h264").suggestions == ()


def test_auto_deblocks_only_with_weights_that_were_trained_for_it(tmp_path):
    untrained = tmp_path / "tiny.safetensors"
    weights.save(untrained, SIZES["tiny"], build(SIZES["tiny"])[1], {})
    assert plan_of("auto", frames(quantiser=40.0), codec="h264", weights=str(untrained)).tasks == ()


def test_a_stream_coded_finely_is_left_as_it_is():
    plan = plan_of("deblock", frames(quantiser=8.0), codec="h264")
    assert plan.tasks == ()
    assert "clean enough" in plan.why


@pytest.mark.parametrize("size", [(6, 9), (20, 40)])
def test_frames_too_small_to_measure_are_left_as_they_are(size):
    plan = plan_of("deblock", frames(size=size))
    assert plan.tasks == ()
    assert "small" in plan.why


def test_one_frame_is_enough():
    assert plan_of("denoise", frames(count=1, noise=20)).tasks == ("denoise",)


@pytest.mark.parametrize("sigma", [-1, 256, float("nan")])
def test_sigma_out_of_range_is_refused(sigma):
    with pytest.raises(OptionError, match="out of range"):
        plan_of("deblock", frames(), sigma=sigma)


def test_more_than_the_weights_know_is_clamped(caplog):
    plan = plan_of("denoise", frames(), sigma=200)
    assert plan.sigma_rgb == pytest.approx(55)
    assert "above the weights' range" in caplog.text
