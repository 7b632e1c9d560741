"""Sound whose rate, channels or format change becomes uniform. They change where recordings were joined."""

import logging

import av

logger = logging.getLogger(__name__)


class UniformSound:
    """Converts each frame to the rate, channels and format of the first one. Warns where they change."""

    def __init__(self) -> None:
        self._first: tuple[str, str, int] | None = None
        self._converter: tuple[tuple[str, str, int], av.AudioResampler] | None = None

    def __call__(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """The same sound, with its times."""
        own = (frame.format.name, frame.layout.name, frame.sample_rate)
        self._first = self._first or own
        if own == self._first:
            return [frame]
        if self._converter is None or self._converter[0] != own:
            before, after = (f"{layout} at {rate} Hz" for _, layout, rate in (self._first, own))
            logger.warning("the sound changes from %s to %s: all of it becomes %s", before, after, before)
            self._converter = own, av.AudioResampler(*self._first)
        return self._converter[1].resample(frame)
