"""Reference pictures: their chroma, whether they match their frames, and whether a video is grey."""

import numpy as np
import pytest

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.references import attach_references, colours_of, has_colours

GRAY = PixelFormat(kind="gray", full_range=True)


def picture(seed=0):
    """R'G'B' and opacity, `40 60 4`."""
    rgb = np.random.default_rng(seed).random((4, 6, 3), np.float32).repeat(10, 0).repeat(10, 1)
    return np.concatenate([rgb, np.ones((40, 60, 1), np.float32)], axis=-1)


def video(count=2):
    luma = picture()[..., :3] @ from_rgb("bt601")[0]
    for n in range(count):
        frame = Frame((np.rint(255 * luma).astype(np.uint8),), n)
        yield AnalysedFrame(
            frame=frame, mask=None, flow_frame=FlowFrame.from_luma(luma, time=float(n)), starts_shot=n == 0
        )


def test_colours_are_known_where_the_picture_is_opaque():
    transparent = picture()
    transparent[:20, :, 3] = 0
    first, second = attach_references(video(), {1: transparent}, GRAY)
    assert (first.has_reference, second.has_reference) == (False, True)
    np.testing.assert_array_equal(second.colours[:20], 0)
    np.testing.assert_array_equal(second.colours[20:, :, 2], 1)
    expected = transparent[20:, :, :3] @ from_rgb("bt601")[1:].T + 0.5
    np.testing.assert_allclose(second.colours[20:, :, :2], expected, rtol=1e-6)


def test_a_picture_of_another_scene_is_refused_unless_forced():
    with pytest.raises(ReferencePictureError, match="frame 1 doesn't show it"):
        list(attach_references(video(), {1: picture(seed=1)}, GRAY))
    assert len(list(attach_references(video(), {1: picture(seed=1)}, GRAY, force=True))) == 2


def test_a_picture_of_a_frame_that_does_not_exist_is_refused():
    with pytest.raises(ReferencePictureError, match="frame 5, but the video has the frames 0 to 1"):
        list(attach_references(video(), {5: picture()}, GRAY))


def test_the_videos_own_matrix_is_used():
    wide = PixelFormat(kind="yuv", matrix="bt709")
    assert np.abs(colours_of(picture(), wide) - colours_of(picture(), GRAY)).max() > 0.01


@pytest.mark.parametrize("kind", ["yuv", "rgb"])
def test_grey_video_is_told_from_coloured(kind):
    pixels = PixelFormat(kind=kind, full_range=True)
    level = 128 if kind == "yuv" else 100
    grey = tuple(np.full((8, 8), value, np.uint8) for value in (100, level + 1, level))
    coloured = (grey[0], grey[1] + np.uint8(20), grey[2])
    assert not has_colours([Frame(grey, 0)], pixels)
    assert has_colours([Frame(grey, 0), Frame(coloured, 1)], pixels)
