"""Properties that change within a video, as where recordings were joined. An output has those of the first frame."""

import logging
from collections.abc import Iterator

import av

from vdiff_jax.media.fidelity import HDR_TRANSFERS
from vdiff_jax.media.planes import MATRIX_OF_TAG

logger = logging.getLogger(__name__)
_SIZE, _ASPECT = "size", "sample aspect ratio"
_EFFECTS = {_SIZE: "every frame is scaled to {}", "pixel format": "every frame is converted to {}"}
_NOT_CONVERTED = "the output says {} for all frames"
_RANGES = {1: "limited", 2: "full"}


class Changes:
    """Warns once of each property that changes. A property may be unknown at first."""

    def __init__(self, name: str):
        self._name = name  # of the video, in messages
        self._first: dict[str, object] = {}
        self._said: set[str] = set()

    def note(self, frame: av.VideoFrame, aspect: object) -> None:
        """Looks at the next frame.

        Args:
            frame: the frame.
            aspect: the decoder's sample aspect ratio; None if unknown.
        """
        for what, value in _properties(frame, aspect):
            first = self._first.setdefault(what, value)
            if value != first and what not in self._said:
                effect = _EFFECTS.get(what, _NOT_CONVERTED).format(first)
                logger.warning("%s changes its %s from %s to %s: %s", self._name, what, first, value, effect)
                self._said.add(what)


def _properties(frame: av.VideoFrame, aspect: object) -> Iterator[tuple[str, object]]:
    """The properties of a frame that are known."""
    yield _SIZE, f"{frame.width}x{frame.height}"
    yield "pixel format", frame.format.name.replace("yuvj", "yuv")
    if aspect:
        yield _ASPECT, aspect
    yield "dynamic range", HDR_TRANSFERS.get(frame.color_trc, "SDR")
    if frame.colorspace in MATRIX_OF_TAG:
        yield "colour matrix", MATRIX_OF_TAG[frame.colorspace]
    if frame.color_range in _RANGES:
        yield "colour range", _RANGES[frame.color_range]
