"""What is decided for a video, above all for one that tells little or needs nothing."""

import numpy as np
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.plan import make_plan

GRAY = PixelFormat(kind="gray", full_range=True)
OPTIONS = {"masked": False, "sigma": None, "weights": "base"}


def frames(count=4, size=(64, 96), noise=0.0, quantiser=None):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    smooth = 128 + 60 * np.sin(x / 19) * np.cos(y / 23)
    pictures = [np.clip(smooth + rng.normal(0, noise, size), 0, 255).astype(np.uint8) for _ in range(count)]
    return [Frame((picture,), n, quantiser=quantiser) for n, picture in enumerate(pictures)]


def test_each_frames_error_is_its_quantisers():
    plan = make_plan("deblock", frames(quantiser=36.0), GRAY, codec="h264", **OPTIONS)
    assert plan.tasks == ("deblock",)
    assert "36.0" in plan.why
    sigma = plan.sigma_of(np.array([30.0, 40.0, np.nan], np.float32))
    assert sigma[0, 0] < plan.sigma[0] < sigma[1, 0]
    np.testing.assert_array_equal(sigma[2], plan.sigma)
    assert (sigma[:, 1:] == 0).all()


def test_quantisers_that_cannot_be_read_are_estimated_and_that_is_said():
    plan = make_plan("deblock", frames(noise=6), GRAY, codec="av1", **OPTIONS)
    assert "carries no quantisers" in plan.why
    assert "estimated from the frames" in plan.why
    assert plan.codec is None


def test_auto_deblocks_what_is_visibly_compressed_alone():
    learned = {**OPTIONS, "codec": "h264", "deblocks": True}
    assert make_plan("auto", frames(quantiser=40.0), GRAY, **learned).tasks == ("deblock",)
    fine = make_plan("auto", frames(quantiser=16.0), GRAY, **learned)
    assert fine.tasks == ()
    assert "clean enough to be left as it is" in fine.why
    assert make_plan("auto", frames(noise=20, quantiser=33.0), GRAY, **learned).tasks == ("denoise",)


def test_auto_leaves_compressed_video_to_weights_that_learned_it():
    assert make_plan("auto", frames(quantiser=40.0), GRAY, codec="h264", **OPTIONS).tasks == ()


def test_a_stream_coded_finely_is_left_as_it_is():
    plan = make_plan("deblock", frames(quantiser=8.0), GRAY, codec="h264", **OPTIONS)
    assert plan.tasks == ()
    assert "clean enough" in plan.why


@pytest.mark.parametrize("size", [(6, 9), (20, 40)])
def test_frames_too_small_to_measure_are_left_as_they_are(size):
    plan = make_plan("deblock", frames(size=size), GRAY, **OPTIONS)
    assert plan.tasks == ()
    assert "small" in plan.why


def test_one_frame_is_enough():
    assert make_plan("denoise", frames(count=1, noise=20), GRAY, **OPTIONS).tasks == ("denoise",)


@pytest.mark.parametrize("sigma", [-1, 256, float("nan")])
def test_sigma_out_of_range_is_refused(sigma):
    with pytest.raises(OptionError, match="out of range"):
        make_plan("deblock", frames(), GRAY, **{**OPTIONS, "sigma": sigma})


def test_more_than_the_weights_know_is_clamped(caplog):
    plan = make_plan("denoise", frames(), GRAY, **{**OPTIONS, "sigma": 200})
    assert plan.sigma_rgb == pytest.approx(55)
    assert "more than the weights know" in caplog.text
