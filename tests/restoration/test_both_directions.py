"""Repairs that run forward and backward in time."""

import dataclasses
import itertools

import imageio.v3 as iio
import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import sample
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration import both_directions
from vdiff_jax.restoration.both_directions import CONFIDENCE, merge
from vdiff_jax.restoration.pipeline import restorer_for
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.tasks.request import Request

PIXELS = PixelFormat(kind="rgb", full_range=True)


def repair(clip: np.ndarray, **options) -> np.ndarray:
    return vdiff_jax.repair(clip, task="denoise", sigma=25, weights="fast", **options)


@pytest.fixture(scope="module")
def clip():
    """The first frames of the sample, uint8 R'G'B'."""
    return iio.imread(sample.TRUTH, plugin="pyav")[:20, 60:156, 120:216]


@pytest.fixture(scope="module")
def noisy(clip):
    noise = 25 * np.random.default_rng(0).normal(size=clip.shape)
    return np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def merged(noisy):
    return repair(noisy, both_directions=True)


def test_both_directions_are_better_than_one(clip, noisy, merged):
    def error(result: np.ndarray) -> float:
        return np.square(result.astype(float) - clip).mean()

    assert error(merged) < 0.95 * error(repair(noisy))


def test_a_reversed_clip_gives_the_reversed_result(noisy):
    frames = [Frame(tuple(np.moveaxis(picture, -1, 0)), n) for n, picture in enumerate(noisy)]
    request = Request(frames=frames, pixels=PIXELS, sigma=25, weights="fast")
    restorer = restorer_for(dataclasses.replace(make_plan("denoise", request), both_directions=True))

    def restored(frames: list[Frame]) -> np.ndarray:
        analysed = analyse(frames, itertools.repeat(None), PIXELS, restorer.multiple)
        # Flow that was measured on noise is not the same in reverse.
        still = (
            dataclasses.replace(chunk, velocity=np.zeros_like(chunk.velocity))
            for chunk in cut_into_chunks(analysed, restorer.frames)
        )
        return np.stack([np.stack(frame.planes) for frame in restorer.restore(still)]).astype(int)

    assert np.abs(restored(frames[::-1])[::-1] - restored(frames)).max() <= 1


def test_spans_in_bounded_memory_change_little(noisy, merged, monkeypatch):
    monkeypatch.setattr(both_directions, "SPAN_FRAMES", 8)
    difference = np.abs(repair(noisy, both_directions=True).astype(int) - merged)
    assert 0 < difference.mean() < 0.3


def test_the_run_that_has_seen_more_frames_weighs_more():
    forward, reverse = np.zeros((3, 1, 1), np.uint8), np.full((3, 1, 1), 200, np.uint8)
    (plane,) = merge((forward,), (reverse,), before=np.array([0, 50, 9]), after=np.array([9, 50, 0]))
    first = 200 / (1 + CONFIDENCE[0])
    assert plane.dtype == np.uint8
    assert plane.ravel().tolist() == [round(first), 100, 200 - round(first)]
