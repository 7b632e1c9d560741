"""Crops around holes: cut out and pasted back, and all that the network needs to see."""

import numpy as np
import pytest

import vdiff_jax
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream import crop
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.stream.crop import Crop

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")


def hole(size=(128, 192), at=(70, 90), side=10):
    mask = np.zeros(size, bool)
    mask[at[0] : at[0] + side, at[1] : at[1] + side] = True
    return mask


def clip(count):
    rng = np.random.default_rng(5)
    sizes = ((128, 192), (64, 96), (64, 96))
    planes = [rng.integers(16, 220, size, np.uint8) for size in sizes]
    return [Frame(tuple(plane + np.uint8(n) for plane in planes), n, 1) for n in range(count)]


def test_a_crop_holds_the_hole_and_its_margin_and_starts_at_multiples():
    found = Crop.around(hole(), YUV, margin=20, multiple=8)
    assert found.rows.start <= 50
    assert found.rows.stop >= 100
    assert found.columns.start <= 70
    assert found.columns.stop >= 120
    assert not any(edge % 8 for side in (found.rows, found.columns) for edge in (side.start, side.stop))


@pytest.mark.parametrize("holes", [None, np.zeros((128, 192), bool), hole(at=(30, 50), side=80)])
def test_there_is_no_crop_for_unknown_or_no_holes_or_nearly_the_whole_picture(holes):
    assert Crop.around(holes, YUV, margin=40, multiple=8) is None


def test_a_crop_fits_back_into_its_frames():
    frames = clip(3)
    found = Crop.around(hole(), YUV, margin=8, multiple=8)
    (chunk,) = cut_into_chunks(analyse(frames, [hole()] * 3, YUV, 8), 4)
    cut = found.cut(chunk)
    assert cut.planes[0].shape[1:] == cut.error.shape[1:] == found.size
    assert cut.velocity.shape[1:3] == tuple(side // 4 for side in found.size)
    parts = [Frame(tuple(plane[n] for plane in cut.planes), n) for n in range(3)]
    for whole, frame in zip(map(found.paste, chunk.shown, parts), chunk.shown, strict=True):
        for one, other in zip(whole.planes, frame.planes):
            np.testing.assert_array_equal(one, other)
    black = [Frame(tuple(np.zeros_like(plane) for plane in each.planes), each.pts) for each in parts]
    changed = found.paste(chunk.shown[0], black[0]).planes[1] == 0
    np.testing.assert_array_equal(np.argwhere(changed).min(axis=0) * 2, [found.rows.start, found.columns.start])
    assert changed.sum() == np.prod(found.size) / 4


def test_a_hole_is_filled_the_same_from_the_crop_as_from_the_whole_picture(monkeypatch):
    """At the edge of a picture of odd size: the crop ends there, not at a multiple of the network's cell."""
    coarse = np.random.default_rng(2).random((8, 10, 3)).repeat(32, 0).repeat(32, 1)[:251, :299]
    frame = (255 * coarse).astype(np.uint8)[None]
    mask = hole((251, 299), at=(230, 280), side=14)
    damaged = np.where(mask[..., None], np.uint8(255), frame)
    filled = vdiff_jax.repair(damaged, task="inpaint", mask=mask, weights="fast")
    monkeypatch.setattr(crop, "_LARGEST_SHARE", 0)
    whole = vdiff_jax.repair(damaged, task="inpaint", mask=mask, weights="fast")
    np.testing.assert_allclose(filled.astype(int), whole, atol=1)
    assert (filled[0][mask] != 255).any(axis=-1).all()
