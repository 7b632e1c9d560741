"""Opening a file, a folder of pictures or stdin as a stream of frames."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import av

from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.media.animation import AnimationSource
from vdiff_jax.media.clock import clock_of
from vdiff_jax.media.decode import VideoSource
from vdiff_jax.media.pictures import PictureSource
from vdiff_jax.media.sources import Source, is_animation, is_picture, list_pictures, refuse_linear
from vdiff_jax.media.threads import Prefetch, queue_depth
from vdiff_jax.media.video import Seconds, VideoInfo
from vdiff_jax.pixels import Frame

PICTURE_RATE = Fraction(25)


@runtime_checkable
class FrameSource(Protocol):
    """What a `VideoReader` reads from: a video file or pictures."""

    info: VideoInfo

    def frames(self) -> Iterator[Frame]:
        """The frames in order."""
        ...

    def close(self) -> None:
        """Closes what is open."""
        ...


class VideoReader:
    """The frames of a video in order; a context manager that can be iterated once. A thread of its own decodes."""

    def __init__(self, source: FrameSource):
        self._source = source
        self._ahead: Prefetch[Frame] | None = None

    @property
    def info(self) -> VideoInfo:
        """The properties of the video, or of the part of it that is read."""
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        if self._ahead is None:
            self._ahead = Prefetch(self._frames(), queue_depth(self.info.frame_bytes))
        return iter(self._ahead)

    def _frames(self) -> Iterator[Frame]:
        count = 0
        try:
            for frame in self._source.frames():
                yield frame
                count += 1
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or error
            raise InputError(
                f"{self.info.path or 'the input'} can't be read any further than frame {count} ({reason})"
            ) from error

    def close(self) -> None:
        """Stops decoding and closes the file."""
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
    double_rate: bool = False,
    at: int | None = None,
    written: bool = False,
) -> VideoReader:
    """Opens a file, a folder or glob of pictures, one picture, or `-` (YUV4MPEG2 on stdin).

    Args:
        source: what to read.
        start, stop: seconds from the beginning; frames with start <= time < stop are read, the first with pts 0.
        picture_rate: frames per second of pictures.
        deinterlace: make one progressive picture from the fields of each interlaced frame.
        double_rate: deinterlace to one picture for each field, at twice the frame rate.
        at: the pts of the first frame that is read, of a `seekable` file; properties and times are those of the whole.
        written: the frames are written to an output. Then a warning names what begins later and no output keeps.

    Raises:
        InputError: the source does not exist, or nothing in it can be read as a video.
        OptionError: `start` and `stop` give an empty part.
    """
    if (start is not None and start < 0) or (stop is not None and stop <= (start or 0)):
        raise OptionError(f"the part from {start} s to {stop} s is empty: pass a start before its end")
    name = os.fspath(source)
    pictures = [Path(name)] if is_picture(name) else list_pictures(name)
    if pictures is not None:
        return VideoReader(PictureSource(pictures, name, Fraction(picture_rate), start, stop))
    refuse_linear([Path(name)], name)
    if Path(name).suffix.lower() == ".webp" and is_animation(name):
        return VideoReader(AnimationSource(name, start, stop))
    fields = {"deinterlace": deinterlace, "double_rate": double_rate}
    return VideoReader(VideoSource(name, start, stop, **fields, at=at, written=written))


def seekable(source: Source) -> bool:
    """Whether a source is a video file whose frames can be read from any one on."""
    name = os.fspath(source)
    return os.path.isfile(name) and not is_picture(name) and not is_animation(name) and not clock_of(name).jumps


def probe(source: Source) -> VideoInfo:
    """A video's properties. Its first frame is decoded to find them.

    Raises:
        InputError: as for `open_reader`; also for `-`, which can be read only once.
    """
    if os.fspath(source) == "-":
        raise InputError("stdin can be read only once: use open_reader and its info")
    with open_reader(source) as reader:
        return reader.info
