"""Times of display for containers that store none."""

import av


class DisplayOrder:
    """Gives the frames of AVI and MXF their times of display. FFmpeg mixes those of B-frames up.

    Frames come in the order of display with the times of decoding of other packets, which rise by the right steps.

    Args:
        numbered: the container stores no times at all, as AVI does. FFmpeg then adds the delay of the codec, of which
            the sound knows nothing. So the first frame gets the time of its own packet.
    """

    def __init__(self, *, numbered: bool) -> None:
        self._numbered = numbered
        self._key: int | None = None  # the time of the first packet that can be decoded alone
        self._first: int | None = None  # the time of the first packet
        self.delay: int | None = None
        """How much later the times of decoding are; None before the first frame."""

    def note(self, packet: av.Packet) -> None:
        """Looks at a packet before it is decoded."""
        if self._first is None:
            self._first = packet.dts
        if self._key is None and packet.is_keyframe:
            self._key = packet.dts

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame with its time of display."""
        if self.delay is None and frame.pts is not None and frame.dts is not None:
            shown = frame.pts
            if self._numbered and self._first is not None:
                shown = self._first if self._key is None or self._key > frame.dts else self._key
            self.delay = frame.dts - shown
        if self.delay is not None:
            frame.pts = None if frame.dts is None else frame.dts - self.delay
        return frame
