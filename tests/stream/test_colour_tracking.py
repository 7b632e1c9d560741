"""A reference's colours follow its objects, sharp after many frames; what it did not show has no confidence."""

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.stream.colour_tracking import ColourTracker
from vdiff_jax.stream.flow import FlowFrame

COUNT = 24


@pytest.fixture(scope="module")
def pan():
    """Blots that pan by 1.5 pixels a frame: luma `t h w` and chroma `t h w 2`, in [0, 1]."""
    rng = np.random.default_rng(3)
    wide = rng.random((16, 36, 3), np.float32).repeat(12, 0).repeat(12, 1)
    wide = cv2.GaussianBlur(wide, (0, 0), 2)
    shifts = [np.array([[1, 0, -1.5 * t], [0, 1, 0]], np.float32) for t in range(COUNT)]
    frames = np.stack([cv2.warpAffine(wide, shift, (240, 160), borderMode=cv2.BORDER_REFLECT) for shift in shifts])
    return frames[..., 0], frames[..., 1:]


def followed(luma, chroma):
    nothing = np.zeros((*luma.shape[1:], 3), np.float32)
    told = np.concatenate([chroma[0], np.ones_like(chroma[0][..., :1])], axis=-1)
    items = [
        AnalysedFrame(
            frame=Frame((plane,), n),
            mask=None,
            flow_frame=FlowFrame.from_luma(plane, time=float(n)),
            starts_shot=n == 0,
            colours=nothing if n else told,
        )
        for n, plane in enumerate(luma)
    ]
    trail = ColourTracker()
    return [carried for chunk in cut_into_chunks(items, 8) for carried in trail(chunk)]


def test_colours_arrive_sharp_and_trusted_after_many_frames(pan):
    luma, chroma = pan
    last = followed(luma, chroma)[-1]
    seen = (slice(8, -8), slice(8, 240 - int(1.5 * COUNT) - 8))
    assert np.abs(last.chroma - chroma[-1])[seen].mean() < 0.012
    assert np.abs(chroma[0] - chroma[-1])[seen].mean() > 0.05  # had they stayed where they were
    assert last.confidence[seen].mean() > 0.8


def test_what_entered_is_not_trusted(pan):
    last = followed(*pan)[-1]
    assert last.confidence[8:-8, -int(1.5 * COUNT) + 12 :].mean() < 0.3
