"""The Wiener step of repair: it can give back what the network removed, and follows the expected error."""

import dataclasses

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess import residual_operators, wiener_operators
from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel, residual_wiener_step
from vdiff_jax.postprocess.residual_operators import CHROMA, CLASSES, COLOURS, LUMA, LUMA_IN_SPACE
from vdiff_jax.postprocess.wiener_operators import ALONG_MOTION, FAR_REACH, REACH

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
RGB = PixelFormat(kind="rgb", full_range=True)
OWN_LUMA, OWN_CHROMA = 10, 6
"""The places of the operator that is the sample's own residual."""


def frames(pixels: PixelFormat, count: int = 5) -> list[Frame]:
    """A moving picture as the network left it, and with the noise that it removed."""
    rng = np.random.default_rng(0)
    made = []
    for n in range(count):
        results, given = [], []
        for height, width in pixels.plane_shapes(64, 49):
            y, x = np.mgrid[:height, :width]
            plane = 120 + 60 * np.sin((x + n) / 4) * np.sin(y / 6)
            results.append(plane.astype(np.uint8))
            given.append(np.clip(plane + rng.normal(0, 8, plane.shape), 16, 235).astype(np.uint8))
        made.append(Frame(tuple(results), n, starts_shot=n == 0, given=tuple(given)))
    return made


def coefficients(value: float = 0.0, *, rgb: bool = False, seed: int | None = None, reach: int = REACH) -> Coefficients:
    more = 2 * (reach - REACH)
    shapes = (CLASSES, LUMA + more + COLOURS * rgb), (2, CHROMA + more)
    if seed is None:
        return Coefficients(np.array(3.0), *(np.full(shape, value) for shape in shapes))
    rng = np.random.default_rng(seed)
    return Coefficients(np.array(3.0), *(rng.normal(0, 0.02, shape) for shape in shapes))


def own_residual(share: float, *, rgb: bool = False) -> Coefficients:
    by = coefficients(rgb=rgb)
    by.luma[:, OWN_LUMA] = by.chroma[:, OWN_CHROMA] = share
    return by


@pytest.mark.parametrize("pixels", [YUV, RGB])
def test_without_coefficients_the_result_stays_and_with_the_whole_residual_the_input_comes_back(pixels):
    rgb = pixels.kind == "rgb"
    clip = frames(pixels)
    same = list(residual_wiener_step(clip, pixels, coefficients(rgb=rgb)))
    back = list(residual_wiener_step(clip, pixels, own_residual(1.0, rgb=rgb)))
    for before, unchanged, undone in zip(clip, same, back, strict=True):
        assert (unchanged.pts, unchanged.given) == (before.pts, ())
        for plane, kept, given, came in zip(before.planes, unchanged.planes, before.given, undone.planes, strict=True):
            np.testing.assert_array_equal(kept, plane)
            np.testing.assert_allclose(came.astype(int), given, atol=1 if rgb else 0)


def test_each_class_takes_its_own_coefficients():
    """The right half is flat, so only the left half takes those of active samples."""
    clip = frames(YUV)
    flat = [frame.planes[0].copy() for frame in clip]
    for plane in flat:
        plane[:, 40:] = 120
    clip = [
        Frame((luma, *f.planes[1:]), f.pts, given=f.given, starts_shot=f.starts_shot) for luma, f in zip(flat, clip)
    ]
    by = own_residual(1.0)
    by.luma[: CLASSES // 6] = 0
    first = next(residual_wiener_step(clip, YUV, by)).planes[0]
    np.testing.assert_array_equal(first[:, 56:], 120)
    np.testing.assert_array_equal(first[8:-8, 8:32], clip[0].given[0][8:-8, 8:32])


@pytest.mark.parametrize(("pixels", "reach"), [(YUV, REACH), (RGB, REACH), (YUV, FAR_REACH)])
def test_strips_of_rows_give_what_whole_frames_give(pixels, reach, monkeypatch):
    by = coefficients(rgb=pixels.kind == "rgb", seed=1, reach=reach)
    whole = list(residual_wiener_step(frames(pixels), pixels, by))
    monkeypatch.setattr(wiener_operators, "_STRIP", 1)
    monkeypatch.setattr(residual_operators, "_CACHED", 1)
    for one, other in zip(whole, residual_wiener_step(frames(pixels), pixels, by), strict=True):
        for a, b in zip(one.planes, other.planes):
            assert np.abs(a.astype(int) - b).max() <= 1  # of a rounding error
            assert np.mean(a != b) < 0.01


@pytest.mark.parametrize("reach", [REACH, FAR_REACH])
def test_a_result_depends_on_the_frames_within_reach_alone(reach):
    by = coefficients(reach=reach)
    by.luma[:, LUMA_IN_SPACE + 2 * (reach - 1)] = 0.3  # the differences to the farthest frames
    clip = frames(YUV, 12)
    before = [frame.planes[0] for frame in residual_wiener_step(clip, YUV, by)]
    clip[6] = dataclasses.replace(clip[6], planes=(clip[6].planes[0] // 8 * 8 + 4, *clip[6].planes[1:]))
    after = [frame.planes[0] for frame in residual_wiener_step(clip, YUV, by)]
    changed = [n for n, (one, other) in enumerate(zip(before, after, strict=True)) if (one != other).any()]
    assert changed[0] == 6 - reach
    assert changed[-1] == 6 + reach


def test_arrays_and_deeper_samples_are_filtered_as_bytes_are_and_alpha_passes():
    by = coefficients(rgb=True, seed=2)
    clip = frames(RGB)
    expected = list(residual_wiener_step(clip, RGB, by))
    unit = np.float32(1 / 255)
    floats = [
        Frame(
            tuple(unit * p for p in f.planes), f.pts, starts_shot=f.starts_shot, given=tuple(unit * p for p in f.given)
        )
        for f in clip
    ]
    for one, other in zip(expected, residual_wiener_step(floats, RGB, by), strict=True):
        np.testing.assert_allclose(one.planes[0], np.clip(255 * other.planes[0], 0, 255), atol=0.51)
    alpha = np.arange(clip[0].planes[0].size, dtype=np.uint8).reshape(clip[0].planes[0].shape)
    seen = [Frame((*f.planes, alpha), f.pts, starts_shot=f.starts_shot, given=(*f.given, alpha)) for f in clip]
    with_alpha = PixelFormat(kind="rgb", full_range=True, alpha=True)
    for one, other in zip(expected, residual_wiener_step(seen, with_alpha, by), strict=True):
        np.testing.assert_array_equal(other.planes[3], alpha)
        np.testing.assert_array_equal(other.planes[2], one.planes[2])


def test_between_the_fitted_errors_the_coefficients_lie_on_lines_over_log2():
    def part(scale: float) -> Coefficients:
        steps = scale * np.arange(1.0, 4)[:, None, None]
        return Coefficients(np.array([1.0, 2, 4]), steps * np.ones((CLASSES, LUMA)), steps * np.ones((2, CHROMA)))

    model = WienerModel(np.array([4.0, 8, 32]), part(1), part(10))
    assert model.filter_for(16 / 255, RGB).luma[0, 0] == pytest.approx(25)
    assert model.filter_for(16 / 255, RGB).left == pytest.approx(3)
    grey = PixelFormat(kind="gray")
    assert model.filter_for(4 * np.sqrt(2) / 255, grey).chroma[0, 0] == pytest.approx(1.5)
    assert model.filter_for(8 / 255, grey).left == pytest.approx(2 * 219 / 255)
    for error, value in ((1, 1), (0, 1), (100, 3)):
        assert model.filter_for(error / 255, grey).luma[0, 0] == pytest.approx(value)


def test_without_shared_noise_luma_of_rgb_takes_what_was_fitted_to_stored_luma():
    def part(value: float, *, rgb: bool) -> Coefficients:
        luma = np.full((2, CLASSES, LUMA + COLOURS * rgb), value)
        return Coefficients(np.ones(2), luma, np.full((2, 2, CHROMA), value))

    model = WienerModel(np.array([4.0, 8]), part(1, rgb=False), part(10, rgb=True))
    unshared = model.filter_for(6 / 255, RGB, shared=False)
    np.testing.assert_array_equal(unshared.luma[0], [1] * LUMA + [0] * COLOURS)
    np.testing.assert_array_equal(unshared.chroma, model.filter_for(6 / 255, RGB).chroma)


def test_chroma_takes_the_frames_around_along_the_motion():
    """Noise in chroma of a still clip becomes weaker, by the differences along the motion alone."""
    rng = np.random.default_rng(3)
    luma, by = np.full((48, 64), 128, np.uint8), coefficients()
    by.chroma[:, -ALONG_MOTION:] = 0.2
    noisy = [np.clip(rng.normal(128, 2, (24, 32)), 0, 255).astype(np.uint8) for _ in range(5)]
    clip = [
        Frame((luma, plane, plane), n, starts_shot=n == 0, given=(luma, plane, plane)) for n, plane in enumerate(noisy)
    ]
    middle = list(residual_wiener_step(clip, YUV, by._replace(left=np.array(20.0))))[2]
    np.testing.assert_array_equal(middle.planes[0], luma)
    assert middle.planes[1].std() < 0.8 * noisy[2].std()
