"""Reading a video, whatever holds it, as a stream of frames."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.media.decode import VideoSource
from vdiff_jax.media.pictures import PictureSource
from vdiff_jax.media.sources import PICTURE_ENDINGS, Source, list_pictures
from vdiff_jax.media.threads import Prefetch, queue_depth
from vdiff_jax.media.video import Seconds, VideoInfo
from vdiff_jax.pixels import Frame

PICTURE_RATE = Fraction(25)


@runtime_checkable
class FrameSource(Protocol):
    """What a reader reads from."""

    info: VideoInfo

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


class VideoReader:
    """Frames of a video in order, decoded in a thread of its own; a context manager, iterated once."""

    def __init__(self, source: FrameSource):
        self._source = source
        self._ahead: Prefetch[Frame] | None = None

    @property
    def info(self) -> VideoInfo:
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        if self._ahead is None:
            self._ahead = Prefetch(self._source.frames(), queue_depth(self.info.frame_bytes))
        return iter(self._ahead)

    def close(self) -> None:
        """Stops decoding, wherever it is."""
        if self._ahead is not None:
            self._ahead.close()
        self._source.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_reader(
    source: Source,
    *,
    start: Seconds | None = None,
    stop: Seconds | None = None,
    picture_rate: Fraction | int = PICTURE_RATE,
    deinterlace: bool = False,
) -> VideoReader:
    """Opens a file, a folder or glob of pictures, one picture, or `-` (YUV4MPEG2 on stdin).

    Args:
        source: what to read.
        start, stop: seconds from the beginning; frames with start <= time < stop are read and pts 0 moves to start.
        picture_rate: frames per second of pictures.
        deinterlace: whole pictures are made of a video's interlaced fields, one a frame.

    Raises:
        InputError: nothing is there, or nothing in it can be read as a video.
        OptionError: an empty range of time.
    """
    if (start is not None and start < 0) or (stop is not None and stop <= (start or 0)):
        raise OptionError(f"from {start} s to {stop} s is no part of a video: pass 0 <= from < to")
    name = os.fspath(source)
    pictures = [Path(name)] if is_picture(name) else list_pictures(name)
    if pictures is not None:
        return VideoReader(PictureSource(pictures, name, Fraction(picture_rate), start, stop))
    return VideoReader(VideoSource(name, start, stop, deinterlace=deinterlace))


def is_picture(source: Source) -> bool:
    """Whether it is a file with the ending of a still picture."""
    return Path(source).suffix.lower() in PICTURE_ENDINGS and os.path.isfile(source)


def probe(source: Source) -> VideoInfo:
    """A video's properties; decodes its first frame.

    Raises:
        InputError: as `open_reader`; and `-`, which can be read only once.
    """
    if os.fspath(source) == "-":
        raise InputError("stdin can be read only once: open a reader and ask it")
    with open_reader(source) as reader:
        return reader.info
