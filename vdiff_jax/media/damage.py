"""Damage that FFmpeg does not report as an error: a file that is cut, and frames that are missing or patched."""

import logging

import av

from vdiff_jax.media.completeness import damaged_elements, is_cut_off

logger = logging.getLogger(__name__)

_ONE_FRAME = frozenset({"h264", "hevc", "vp9", "av1", "ffv1"})
"""Codecs of which each packet holds one frame, if the video is not interlaced."""


class Damage:
    """Compares what is given to a decoder with what it returns.

    Args:
        container, stream: that are read.
        name: of the file, or "stdin".
        jumps: the file's clock jumps, where recordings were joined.

    Attributes:
        errors: whether the file or a packet could not be read.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream, name: str, *, jumps: bool):
        self._name, self._formats = name, set(container.format.name.split(","))
        self._seconds = container.duration and container.duration / av.time_base
        self.errors, self._patched = False, 0
        self._counts, self._first = stream.codec_context.codec.canonical_name in _ONE_FRAME, None
        self._waiting: set[int] = set()
        self._jumps, self._lacking = jumps, 0

    def give(self, packet: av.Packet) -> av.Packet:
        """Notes a packet that the decoder is given, and returns it. An edit list may let its frame be discarded."""
        if self._counts and packet.size and packet.pts is not None and not packet.is_discard:
            self._waiting.add(packet.pts)
        if packet.size and not self._jumps:
            # Where another recording is joined, a packet seems to lack something, too; a key frame follows soon.
            self._lacking = 0 if packet.is_keyframe else max(self._lacking - 1, 3 * packet.is_corrupt)
            self.errors = self.errors or self._lacking == 1
        return packet

    def take(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Notes a frame that the decoder returns, and returns it."""
        self._patched += frame.is_corrupt
        self._counts = self._counts and not frame.interlaced_frame
        if frame.pts is not None:
            self._first = frame.pts if self._first is None else self._first
            self._waiting.discard(frame.pts)
        return frame

    def forget(self) -> None:
        """Forgets the errors so far: they are before the part that is read."""
        self.errors, self._patched = False, 0

    def warn(self, count: int, expected: int | None, *, short: bool) -> None:
        """Warns of damage, after the last frame.

        Args:
            count: how many frames were read.
            expected: about how many the header declares.
            short: whether the file ends earlier than its header says.
        """
        short = short or self.errors or self._lost > 0
        short = short or (self._name != "stdin" and is_cut_off(self._name, self._formats, self._seconds))
        matroska = self._name != "stdin" and "matroska" in self._formats
        parts = damaged_elements(self._name) if matroska else 0
        if count and (short or self._patched or parts):
            about = f" of about {expected}" if expected and expected > count else ""
            patched = f"; the decoder has patched errors in {self._patched} of them" if self._patched else ""
            changed = f"; {parts} of its parts do not have their checksum" if parts and not self._patched else ""
            about += f" frames were read{patched}{changed}"
            logger.warning("%s is truncated or damaged: %d%s", self._name, count, about)

    @property
    def _lost(self) -> int:
        """How many packets after the first frame gave no frame."""
        if self._first is None or not self._counts:
            return 0
        return sum(pts > self._first for pts in self._waiting)
