"""Diffusion in space and along the motion: where nothing is to be gained it does nothing, what is known is found."""

import numpy as np
import pytest

from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import moments
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess import wiener_operators
from vdiff_jax.postprocess.wiener import (
    DIRECTIONS,
    WienerFilter,
    activity,
    classes_of,
    wiener_step,
)
from vdiff_jax.postprocess.wiener_operators import LUMA_OPERATORS, OPERATORS, REACH, operator_responses

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
SIGMA = np.full(3, 4.0)


def picture(n: int) -> tuple[np.ndarray, ...]:
    """A shaded picture that moves by two pixels a frame."""
    y, x = np.mgrid[:48, :64]
    luma = 120 + 50 * np.sin((x + 2 * n) / 5) * np.sin(y / 6)
    return tuple(plane.astype(np.uint8) for plane in (luma, luma[::2, ::2] / 2 + 60, 190 - luma[::2, ::2] / 2))


@pytest.fixture(scope="module")
def clean():
    return [Frame(picture(n), 3 * n, 3) for n in range(9)]


@pytest.fixture(scope="module")
def noisy(clean):
    rng = np.random.default_rng(0)
    return [
        Frame(
            tuple(np.clip(p + rng.normal(0, 4, p.shape).round(), 0, 255).astype(np.uint8) for p in f.planes), f.pts, 3
        )
        for f in clean
    ]


@pytest.fixture(scope="module")
def measured(clean, noisy):
    return moments(Sample(clean, noisy, slice(None)), noisy, PIXELS, SIGMA)


def error(frames, clean, index=0):
    return np.mean([(a.planes[index].astype(float) - b.planes[index]) ** 2 for a, b in zip(frames, clean, strict=True)])


def test_conductivities_of_zero_leave_every_sample(noisy):
    same = list(wiener_step(noisy, noisy, PIXELS, WienerFilter(SIGMA, np.zeros((3, OPERATORS)))))
    for before, after in zip(noisy, same, strict=True):
        assert (after.pts, after.duration) == (before.pts, before.duration)
        for a, b in zip(before.planes, after.planes):
            np.testing.assert_array_equal(a, b)


def test_what_least_squares_expects_is_what_comes_out(clean, noisy, measured):
    best = measured.best(slice(None, -1))
    made = list(wiener_step(noisy, noisy, PIXELS, WienerFilter(SIGMA, best)))
    for index in range(3):
        expected = measured.error_after(best)[:, index].mean()
        assert error(made, clean, index) == pytest.approx(expected, rel=0.05, abs=0.1)  # rounding to samples
    assert error(made, clean) < 0.5 * error(noisy, clean)


def test_no_other_conductivities_are_better(measured):
    best = measured.best(slice(None, -1))
    weight = 1 / measured.error

    def cost(conductivities):
        return (weight * measured.error_after(conductivities)).sum()

    rng = np.random.default_rng(1)
    for _ in range(20):
        other = best + np.append(rng.normal(0, 0.02, (3, OPERATORS - 1)), np.zeros((3, 1)), axis=1)
        assert cost(other) > cost(best)


def test_neighbours_in_time_are_worth_more_than_those_in_space(measured):
    space = measured.gain(measured.best(slice(0, 6)))[0]
    both = measured.gain(measured.best(slice(None, -1)))[0]
    assert both > space + 1


def test_the_network_alone_is_taken_as_it_is_where_it_is_right(clean, noisy):
    known = moments(Sample(clean, noisy, slice(None)), clean, PIXELS, SIGMA)
    np.testing.assert_allclose(known.best()[:, -1], 1, atol=0.02)
    assert known.gain(known.best()).min() > 15


def test_a_frame_sees_its_neighbours_within_reach(clean):
    """And every frame comes out once, in order, for clips of any length."""
    for count in range(1, 9):
        frames = [Frame((np.full((32, 32), 100 + 10 * (n == 3), np.uint8),), n) for n in range(count)]
        gray = PixelFormat(kind="gray", full_range=True)
        seen = list(operator_responses(frames, frames, gray, SIGMA))
        assert [frame.pts for frame, _ in seen] == list(range(count))
        for n, (_, operators) in enumerate(seen):
            touched = any(np.abs(term).max() > 0 for term in operators[0])
            assert touched == (count > 3 and abs(n - 3) <= REACH)


def test_alpha_passes_and_arrays_are_filtered_as_files_are(noisy):
    by = WienerFilter(SIGMA, np.full((3, OPERATORS), 0.05))
    pixels = PixelFormat(kind="rgb", full_range=True)
    files = [Frame((frame.planes[0],) * 3, frame.pts) for frame in noisy]
    of_files = list(wiener_step(files, files, pixels, by))
    arrays = [Frame(tuple(plane / np.float32(255) for plane in frame.planes), frame.pts) for frame in files]
    for one, other in zip(of_files, wiener_step(arrays, arrays, pixels, by), strict=True):
        np.testing.assert_allclose(one.planes[0], 255 * other.planes[0], atol=0.51)
    alpha = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
    seen = [Frame((*frame.planes, alpha), frame.pts) for frame in files]
    for one, other in zip(of_files, wiener_step(seen, seen, PixelFormat(kind="rgb", alpha=True), by), strict=True):
        np.testing.assert_array_equal(other.planes[3], alpha)
        np.testing.assert_array_equal(other.planes[0], one.planes[0])


def test_strips_of_rows_give_what_whole_frames_give(noisy, monkeypatch):
    by = WienerFilter(SIGMA, np.full((3, OPERATORS), 0.04))
    whole = list(wiener_step(noisy, noisy, PIXELS, by))
    monkeypatch.setattr(wiener_operators, "_STRIP", 1)
    for one, other in zip(whole, wiener_step(noisy, noisy, PIXELS, by), strict=True):
        for a, b in zip(one.planes, other.planes):
            assert np.abs(a.astype(int) - b).max() <= 1  # of a rounding error
            assert np.mean(a != b) < 0.001


def test_classes_by_direction_tell_how_edges_lie():
    y, x = np.mgrid[:64, :64]
    for number, wave in enumerate((x, x + y, y, x - y), start=1):  # gradients along x, the diagonal, y, the other one
        plane = (128 + 60 * np.sin(wave / 3)).astype(np.uint8)
        classes = classes_of(plane, PIXELS, (), DIRECTIONS)[8:-8, 8:-8]
        assert (classes == number).mean() > 0.95, number
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    assert (classes_of(noise, PIXELS, (), DIRECTIONS) == 0).mean() > 0.8
    assert (classes_of(noise, PIXELS, (1e6,), DIRECTIONS) < DIRECTIONS).all()
    assert (classes_of(noise, PIXELS, (1.0,), DIRECTIONS) >= DIRECTIONS).mean() > 0.99


def test_luma_s_operators_take_the_coefficients_of_the_sample_s_class():
    rng = np.random.default_rng(0)
    planes = tuple(rng.integers(16, 236, shape, np.uint8) for shape in PIXELS.plane_shapes(64, 48))
    frames = [Frame(planes, 0)]
    conductivities = np.zeros((2 * DIRECTIONS + 2, LUMA_OPERATORS))
    conductivities[DIRECTIONS : 2 * DIRECTIONS, 0] = 0.01  # the active samples' difference to neighbours at (1, 2)
    threshold = float(np.median(activity(planes[0], PIXELS)))
    by = WienerFilter(SIGMA, conductivities, (threshold,), DIRECTIONS, around_plain=True)
    (made,) = wiener_step(frames, frames, PIXELS, by)
    active = classes_of(planes[0], PIXELS, (threshold,)) == 1
    padded = np.pad(planes[0].astype(float), 2, mode="edge")
    term = padded[3:51, 4:68] + padded[1:49, :64] - 2 * padded[2:50, 2:66]
    np.testing.assert_allclose(made.planes[0], planes[0] + 0.01 * term * active, atol=0.51)
    np.testing.assert_array_equal(made.planes[1], planes[1])
