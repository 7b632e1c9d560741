"""What superres and colorize are asked to do, and what they refuse."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.tasks import superres
from vdiff_jax.tasks.request import Request

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))


def frames(height=24, width=32, chroma=128):
    half = np.full((height // 2, width // 2), chroma, np.uint8)
    return [Frame((np.full((height, width), 90, np.uint8), half, half), n) for n in range(2)]


def plan(task, given=None, **keywords):
    return make_plan(task, Request(frames=given or frames(), pixels=PIXELS, **{"sigma": 0, **keywords}))


@pytest.mark.parametrize(
    ("wanted", "factor", "target"),
    [
        ({"scale": 2}, 2, (48, 64)),
        ({"scale": 4}, 4, (96, 128)),
        ({"scale": 1.5}, 2, (36, 48)),
        ({"scale": Fraction(17, 10)}, 2, (40, 54)),
        ({"scale": 3}, 4, (72, 96)),
        ({"scale": 5}, 4, (120, 160)),
        ({"size": (36, 48)}, 2, (36, 48)),
        ({"size": (49, 64)}, 4, (49, 64)),
        ({"size": (96, 128)}, 4, (96, 128)),
        ({"size": (120, 160)}, 4, (120, 160)),
    ],
)
def test_the_smallest_factor_that_reaches_the_size(wanted, factor, target):
    conversion = plan("superres", **wanted).conversion
    assert (conversion.scale, conversion.written()) == (factor, (PIXELS, target))


@pytest.mark.parametrize(
    ("task", "wanted", "says"),
    [
        ("superres", {}, "either a scale"),
        ("superres", {"scale": 2, "size": (48, 64)}, "either a scale"),
        ("superres", {"scale": 1}, "scale 1"),
        ("superres", {"scale": 0.5}, "scale 0.5"),
        ("superres", {"size": (20, 64)}, "64x20"),
        ("superres", {"size": (24, 32)}, "32x24"),
        ("superres", {"scale": 2, "masked": True}, "holes"),
        ("superres", {"scale": 2, "sigma": 300}, "300"),
        ("denoise", {"scale": 2}, "option of superres"),
        ("colorize", {}, "--reference"),
        ("denoise", {"references": {0: np.ones((24, 32, 4), np.float32)}}, "option of colorize"),
    ],
)
def test_what_is_not_offered_is_refused(task, wanted, says):
    with pytest.raises(OptionError, match=says):
        plan(task, **wanted)


def test_noise_that_is_given_ends_the_belief_in_a_clean_reduction():
    assert plan("superres", scale=2).sigma.max() == 0
    assert plan("superres", scale=2, sigma=10).sigma.min() > 0


def test_a_coloured_video_is_coloured_only_by_force():
    reference = {0: np.ones((24, 32, 4), np.float32)}
    with pytest.raises(OptionError, match="--force"):
        plan("colorize", frames(chroma=150), references=reference)
    assert plan("colorize", frames(chroma=150), references=reference, force=True).tasks == ("colorize",)
    assert plan("colorize", references=reference).tasks == ("colorize",)


def test_noise_that_is_given_is_that_of_each_plane():
    rgb = PixelFormat(kind="rgb", full_range=True)
    given = [Frame((np.full((24, 32), 90, np.uint8),) * 3, n) for n in range(2)]
    of_rgb = make_plan("denoise", Request(frames=given, pixels=rgb, sigma=25))
    np.testing.assert_allclose(of_rgb.sigma_of_planes(rgb), 25 / 255, rtol=1e-4)
    yuv = plan("denoise", sigma=25)
    np.testing.assert_array_equal(yuv.sigma_of_planes(PIXELS), yuv.sigma)
    assert yuv.sigma[0] < 20 / 255


@pytest.mark.parametrize(
    ("task", "given", "noise"),
    [
        ("denoise", {"sigma": 8}, 8),
        ("denoise", {"sigma": 0}, None),
        ("deblock", {"sigma": 5}, 10),
        ("superres", {"scale": 2}, superres.LIKE_NOISE),
        ("superres", {"scale": 4}, None),
        ("superres", {"scale": 2, "sigma": 10}, None),
        ("inpaint", {"masked": True, "sigma": 6}, 6),
        ("inpaint", {"masked": True}, None),
    ],
)
def test_the_quality_of_the_output_depends_on_the_error_that_is_left(task, given, noise):
    assert plan(task, **given).noise == (None if noise is None else pytest.approx(noise, rel=1e-3))
