"""Analyses a video's frames on the host, before they are cut into chunks: shots, holes, and what optical flow needs."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.biharmonic import fill_frame
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import ShotDetector, thumbnail


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysedFrame:
    """A frame and what was measured on it.

    Attributes:
      frame: the frame, its holes filled. An empty frame (one that is to be interpolated) carries a neighbour's planes.
      mask: True where the frame is to be repaired; `None` for a video without masks.
      flow_frame: what optical flow is measured on.
      starts_shot: whether this is the first frame of a shot.
      error: the expected error of the fill under the mask, in [0, 1]; infinite where the fill is worthless, 0 outside
        the mask. `None` until it has been estimated.
      shown: whether the frame is part of the output. A frame that is not shown still helps to restore the others.
      following: for an empty frame, the next frame that has content; `None` for all others.
      colours: Cb and Cr of a reference picture, and 1 where they are known; `None` unless the video is colorized.
    """

    frame: Frame
    mask: Bool[np.ndarray, "h w"] | None
    flow_frame: FlowFrame
    starts_shot: bool
    error: Float[np.ndarray, "h w"] | None = None
    shown: bool = True
    following: "AnalysedFrame | None" = None
    colours: Float[np.ndarray, "h w 3"] | None = None

    @property
    def has_content(self) -> bool:
        """Whether the frame was read from the video, rather than inserted for interpolation."""
        return self.following is None

    @functools.cached_property
    def hidden(self) -> Bool[np.ndarray, "h w"]:
        """True under the mask where the fill's expected error is infinite, or not known yet."""
        assert self.mask is not None
        return self.mask if self.error is None else self.mask & np.isinf(self.error)

    @property
    def expected_error(self) -> Float[np.ndarray, "h w"]:
        """The expected error in [0, 1]; infinite under the mask if none was estimated."""
        return np.where(self.mask, np.float32(np.inf), np.float32(0)) if self.error is None else self.error

    @property
    def has_reference(self) -> bool:
        """Whether a reference picture gives the frame's colours anywhere."""
        return self.colours is not None and bool(self.colours[..., 2].any())


def analyse(
    frames: Iterable[Frame],
    masks: Iterable[Bool[np.ndarray, "h w"] | None],
    pixels: PixelFormat,
    multiple: int,
    *,
    scale: int = 1,
) -> Iterator[AnalysedFrame]:
    """Finds shots, fills holes from around them, and prepares each frame for optical flow; one frame of delay.

    Args:
      frames: a video's frames in order.
      masks: one for each frame, True where it is to be repaired; `None` for a video without masks.
      pixels: the frames' pixel format.
      multiple: optical flow is measured on luma that is padded to multiples of this.
      scale: optical flow is measured on luma that is enlarged this many times.
    """
    detector = ShotDetector()
    waiting: dict | None = None
    for index, (frame, mask) in enumerate(zip(frames, masks)):
        if mask is not None and not mask.all():
            frame = fill_frame(frame, mask, pixels)
        luma = luma_of(frame, pixels)
        verdict = detector.push(thumbnail(luma))
        if waiting is not None:
            yield AnalysedFrame(**waiting, starts_shot=bool(verdict))
        known = None if mask is None else _padded((~mask).astype(np.float32), multiple)
        enlarged = _padded(_enlarged(luma, scale), multiple)
        flow_frame = FlowFrame.from_luma(enlarged, known, time=float(index), filled=True)
        waiting = {"frame": frame, "mask": mask, "flow_frame": flow_frame}
    if waiting is not None:
        yield AnalysedFrame(**waiting, starts_shot=bool(detector.finish()))


def _enlarged(plane: Float[np.ndarray, "h w"], scale: int) -> Float[np.ndarray, "h2 w2"]:
    return plane if scale == 1 else cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _padded(plane: Float[np.ndarray, "h w"], multiple: int) -> Float[np.ndarray, "h2 w2"]:
    height, width = plane.shape
    if height % multiple == 0 and width % multiple == 0:
        return plane
    return cv2.copyMakeBorder(plane, 0, -height % multiple, 0, -width % multiple, cv2.BORDER_REPLICATE)
