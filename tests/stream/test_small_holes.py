"""Small holes in a moving scene of fine texture, beside the biharmonic fill of each frame alone."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess import small_holes as compiled
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.propagation import propagate
from vdiff_jax.stream.small_holes import fill_small_holes, small_holes

GRAY = PixelFormat(kind="gray", full_range=True)
SIZE = (96, 128)


@pytest.fixture(scope="module")
def clip():
    """Texture of two pixels that moves to the left by 1.5 pixels a frame."""
    noise = np.random.default_rng(1).normal(0, 1, (2 * SIZE[0], 2 * SIZE[1] + 40)).astype(np.float32)
    texture = 128 + 130 * cv2.GaussianBlur(noise, (0, 0), 1.6)
    frames = [texture[:, 3 * n : 3 * n + 2 * SIZE[1]] for n in range(6)]
    return [cv2.resize(f, SIZE[::-1], interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8) for f in frames]


@pytest.fixture(scope="module")
def masks():
    """A fifth of the pixels of each frame, and a square that stands still."""
    rng, square = np.random.default_rng(2), np.zeros(SIZE, bool)
    square[30:60, 40:70] = True
    return [square | (rng.random(SIZE) < 0.2) for _ in range(6)]


def analysed(clip, masks):
    frames = [Frame((np.where(mask, np.uint8(255), frame),), n, 1) for n, (frame, mask) in enumerate(zip(clip, masks))]
    return list(analyse(frames, masks, GRAY, 8))


def squared_error(item, truth, where):
    return np.mean(np.square(item.frame.planes[0].astype(float) - truth)[where])


def test_the_fill_is_better_than_a_biharmonic_one_and_its_error_is_known(clip, masks):
    before = analysed(clip, masks)
    after = list(fill_small_holes(before, GRAY))
    for old, new, truth, mask in zip(before, after, clip, masks):
        small = small_holes(mask)
        assert squared_error(new, truth, small) < 0.25 * squared_error(old, truth, small)
        expected = 255 * np.sqrt(np.mean(np.square(new.error[small])))
        assert 0.5 < expected / np.sqrt(squared_error(new, truth, small)) < 2
        np.testing.assert_array_equal(new.frame.planes[0][~small], old.frame.planes[0][~small])
        np.testing.assert_array_equal(new.hidden, mask & ~small)


def test_another_shot_gives_nothing(clip, masks):
    first, second = clip[:3], [255 - frame for frame in clip[3:]]
    together = list(fill_small_holes(analysed([*first, *second], masks), GRAY))
    assert together[3].starts_shot
    apart = [*fill_small_holes(analysed(first, masks[:3]), GRAY), *fill_small_holes(analysed(second, masks[3:]), GRAY)]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one.frame.planes[0], other.frame.planes[0])


def test_wide_holes_are_left_to_propagation(clip):
    square = np.zeros(SIZE, bool)
    square[30:60, 40:70] = True
    before = analysed(clip, [square] * 6)
    assert all(one is other for one, other in zip(fill_small_holes(before, GRAY), before, strict=True))


def test_propagation_keeps_what_is_filled(clip, masks):
    filled = list(fill_small_holes(analysed(clip, masks), GRAY))
    for one, other, mask in zip(filled, propagate(filled, GRAY), masks, strict=True):
        small = small_holes(mask)
        np.testing.assert_array_equal(other.frame.planes[0][small], one.frame.planes[0][small])
        np.testing.assert_array_equal(other.error[small], one.error[small])
        assert np.isfinite(other.error[mask]).any()


def test_small_holes_on_the_host_are_the_compiled_ones(masks):
    rng = np.random.default_rng(3)
    wide = cv2.dilate((rng.random(SIZE) < 0.004).astype(np.uint8), np.ones((6, 7))) > 0
    for mask in (masks[0], wide | masks[1], wide):
        np.testing.assert_array_equal(
            small_holes(mask), compiled.small_holes(jnp.asarray(mask[..., None], jnp.float32))[..., 0]
        )


def test_chroma_is_filled_on_its_own_grid():
    pixels = PixelFormat(kind="yuv", bits=10, subsampling=(2, 2))
    y, x = np.mgrid[:40, :60]
    luma, chroma = (200 + 5 * x + 4 * y).astype(np.uint16), (300 + 3 * x + 5 * y)[:20, :30].astype(np.uint16)
    mask = np.random.default_rng(0).random(luma.shape) < 0.05
    frames = [Frame((luma, chroma, chroma[::-1]), n) for n in range(2)]
    for item in fill_small_holes(analyse(frames, [mask] * 2, pixels, 8), pixels):
        for plane, truth in zip(item.frame.planes, frames[0].planes):
            assert plane.dtype == np.uint16
            assert np.abs(plane.astype(int) - truth).max() <= 8
