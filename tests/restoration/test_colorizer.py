"""Colours from references: before and after, in their own shot only, and what they may not be."""

import itertools

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.extent import Extent
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.pipeline import restored_frames, restorer_for
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.tasks.request import Request

GREY = PixelFormat(kind="gray", full_range=True)
SHOT = 10


@pytest.fixture(scope="module")
def film():
    """Two shots of ten frames of coloured blots that pan by 2 pixels a frame, `t h w 3`, uint8."""
    rng = np.random.default_rng(0)
    shots = []
    for _ in range(2):
        blots = rng.integers(0, 256, (10, 14, 3)).repeat(8, 0).repeat(8, 1).astype(np.float32)
        blots = np.clip(cv2.GaussianBlur(blots, (0, 0), 2), 0, 255).astype(np.uint8)
        shots += [blots[:64, 2 * t : 2 * t + 80] for t in range(SHOT)]
    return np.stack(shots)


def reference(film, number):
    return np.concatenate([film[number] / 255, np.ones((64, 80, 1))], axis=-1).astype(np.float32)


def coloured(film, references, extent=None, **keywords):
    """The film's luma coloured, `t h w 3`, and the report."""
    luma = np.rint(film @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    frames = [Frame((plane,), n) for n, plane in enumerate(luma)]
    plan = make_plan("colorize", Request(frames=frames, pixels=GREY, references=references, **keywords))
    restorer = restorer_for(plan, extent)
    assert extent is None or restorer.frames == extent.frames
    restored = list(restored_frames(Footage(frames, itertools.repeat(None), GREY), plan, restorer))
    assert [frame.pts for frame in restored] == list(range(len(film)))
    return np.stack([np.stack(frame.planes, axis=-1) for frame in restored]), restorer.report()


def error(a, b):
    return np.abs(a.astype(float) - b).mean(axis=(1, 2, 3))


def test_a_reference_serves_both_sides_of_its_shot_and_no_other(film):
    result, report = coloured(film, {5: reference(film, 5)})
    grey = np.rint(film @ np.array([0.299, 0.587, 0.114]))[..., None]
    wrong, without = error(result, film), error(np.broadcast_to(grey, film.shape), film)
    assert wrong[5] < 2
    assert (wrong[:SHOT] < 0.7 * without[:SHOT]).all()
    confidence = np.array(report["confidence"])
    assert confidence[5] == 1
    assert (confidence[:SHOT] > 0.3).all()
    assert (confidence[SHOT:] == 0).all()
    assert report["next_reference"] >= SHOT


def test_luma_stays_and_only_chroma_comes(film):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
    luma = np.rint(film[:4, :62, :79] @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    neutral = np.full((31, 40), 128, np.uint8)
    frames = [Frame((plane, neutral, neutral), n) for n, plane in enumerate(luma)]
    references = {0: reference(film, 0)[:62, :79]}
    plan = make_plan("colorize", Request(frames=frames, pixels=pixels, references=references))
    restored = list(repair_frames(Footage(frames, itertools.repeat(None), pixels), plan))
    for before, after in zip(frames, restored, strict=True):
        np.testing.assert_array_equal(before.planes[0], after.planes[0])
        assert after.planes[1].shape == (31, 40)
    assert restored[0].planes[1].std() > 10


def test_two_references_are_blended_by_distance(film):
    """Two that differ a little: the result goes from the one to the other."""
    first, last = reference(film, 0), reference(film, 8)
    last = np.clip(last + np.array([0.06, 0, -0.06, 0]), 0, 1).astype(np.float32)
    result, _ = coloured(film[:SHOT], {0: first, 8: last})
    plain, _ = coloured(film[:SHOT], {0: first, 8: reference(film, 8)})
    shift = (result.astype(float) - plain)[..., 0].mean(axis=(1, 2))
    assert shift[0] == 0
    assert (np.diff(shift[:9]) > -0.5).all()
    assert shift[7] > shift[1] + 3


def test_shorter_chunks_give_nearly_the_same_colours(film):
    references = {0: reference(film, 0), 8: reference(film, 8)}
    whole, _ = coloured(film[:SHOT], references)
    short, _ = coloured(film[:SHOT], references, Extent(1, None))
    assert error(short, whole).mean() < 0.1
    assert error(short, film[:SHOT])[:9].max() < 0.3


def test_contradicting_references_are_refused_unless_forced(film):
    swapped = reference(film, 6)[..., [2, 1, 0, 3]]
    references = {2: reference(film, 2), 6: swapped}
    with pytest.raises(ReferencePictureError, match="frame 6 contradicts the one for frame 2"):
        coloured(film[:SHOT], references)
    assert len(coloured(film[:SHOT], references, force=True)[0]) == SHOT


def test_a_picture_of_another_shot_is_refused(film):
    with pytest.raises(ReferencePictureError, match="frame 3 doesn't show it"):
        coloured(film, {3: reference(film, 14)})


def test_a_reference_past_the_end_is_refused(film):
    with pytest.raises(ReferencePictureError, match="frame 40, but the video has the frames 0 to 19"):
        coloured(film, {0: reference(film, 0), 40: reference(film, 3)})


def test_memory_bounds_how_far_back_a_reference_reaches(film, monkeypatch):
    four = 4 * (1 + 3 * 4) * 64 * 80  # a plane, Cb, Cr and the confidence each
    monkeypatch.setattr("vdiff_jax.restoration.colorizer.HELD_BYTES", four)
    _, report = coloured(film[:SHOT], {8: reference(film, 8)})
    confidence = np.array(report["confidence"])
    assert (confidence[:4] == 0).all()
    assert (confidence[4:] > 0).all()
