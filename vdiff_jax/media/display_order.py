"""Times of display for containers that store none."""

import av


class DisplayOrder:
    """Gives the frames of AVI and MXF their times of display. FFmpeg mixes those of B-frames up.

    Frames come in the order of display with the times of decoding of other packets, which rise by the right steps.
    """

    def __init__(self) -> None:
        self._delay: int | None = None  # how much later the times of decoding are

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame with its time of display."""
        if self._delay is None and frame.pts is not None and frame.dts is not None:
            self._delay = frame.dts - frame.pts
        if self._delay is not None:
            frame.pts = None if frame.dts is None else frame.dts - self._delay
        return frame
