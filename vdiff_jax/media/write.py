"""Writing a video: a file, a folder of pictures, one picture, or YUV4MPEG2 on stdout."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import av

from vdiff_jax.errors import FormatError, OutputError
from vdiff_jax.media.encoders import container_of
from vdiff_jax.media.mux import FileSink
from vdiff_jax.media.pictures import picture_of, write_picture
from vdiff_jax.media.sources import PICTURE_ENDINGS, Source
from vdiff_jax.media.target import PendingFile, check_target, is_folder_target
from vdiff_jax.media.threads import WriteQueue, queue_depth
from vdiff_jax.media.video import VideoInfo, turn
from vdiff_jax.pixels import Frame

DEEP_PICTURES = frozenset({".png", ".tif", ".tiff"})


@runtime_checkable
class Sink(Protocol):
    """Where a writer's thread puts frames."""

    def write(self, frame: Frame) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class VideoWriter:
    """Takes frames in order and encodes them in a thread of its own; a context manager.

    Left without an exception, it finishes the output and puts it in its place; with one, nothing is left of it.
    """

    def __init__(self, sink: Sink, pending: PendingFile | None, info: VideoInfo, name: str):
        self._sink = sink
        self._pending = pending
        self._info = info
        self._name = name
        self._count = 0
        self._shapes = info.pixels.plane_shapes(info.width, info.height)
        self._queue: WriteQueue[Frame] = WriteQueue(sink.write, queue_depth(info.frame_bytes))

    def write(self, frame: Frame) -> None:
        """Hands a frame over; waits while the encoder is behind. The planes must not be changed afterwards.

        Raises:
            FormatError: planes of another shape or type than the writer was opened for.
            OutputError: an earlier frame could not be written.
        """
        shapes = tuple(plane.shape for plane in frame.planes)
        if shapes != self._shapes or any(plane.dtype != self._info.pixels.dtype for plane in frame.planes):
            types = ", ".join(sorted({str(plane.dtype) for plane in frame.planes}))
            raise FormatError(
                f"frame {self._count} has planes {shapes} of {types}: "
                f"{self._info.pixels.name} of {self._info.width}x{self._info.height} has {self._shapes}"
            )
        with _named(self._name):
            self._queue.put(frame)
        self._count += 1

    def close(self) -> None:
        """Writes what is left and puts the output in its place."""
        try:
            with _named(self._name):
                self._queue.finish()
                if self._count == 0:
                    raise OutputError(f"{self._name} can't be written: there are no frames")
                self._sink.finish()
        except BaseException:
            self.abort()
            raise
        if self._pending is not None:
            self._pending.commit()

    def abort(self) -> None:
        """Gives up; nothing stays on disk."""
        self._queue.stop()
        self._sink.abort()
        if self._pending is not None:
            self._pending.remove()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def open_writer(
    target: Source,
    info: VideoInfo,
    *,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    copy_from: Source | None = None,
) -> VideoWriter:
    """Opens an output.

    Args:
        target: a file by its ending (.mp4 .m4v .mov .mkv .webm .gif .y4m, or a picture's), a folder of PNGs (ends in a
            slash, or is an empty folder), or `-` (YUV4MPEG2 on stdout).
        info: of the frames that will come; also their tags, rotation and time base, and the part of `copy_from`.
        codec: an encoder of FFmpeg's instead of the container's usual one.
        options: for the encoder.
        copy_from: the file whose sound, subtitles, chapters and metadata are copied, where the container holds them.

    Raises:
        OutputError: the output is the input, its folder is missing, full or not writable, its ending or the encoder is
            unknown, or the encoder refuses the video.
        OptionError: the encoder has no such option.
    """
    name = os.fspath(target)
    check_target(name, (info.path, copy_from))
    ending = Path(name).suffix.lower()
    if is_folder_target(name):
        pending = PendingFile(name, folder=True)
        return VideoWriter(PictureSink(pending.path, info, folder=True), pending, info, name)
    if ending in PICTURE_ENDINGS:
        pending = PendingFile(name)
        return VideoWriter(PictureSink(pending.path, info, folder=False), pending, info, name)
    container = "yuv4mpegpipe" if name == "-" else container_of(name)
    pending = None if name == "-" else PendingFile(name)
    shown = "stdout" if name == "-" else name
    try:
        tracks = os.fspath(copy_from) if copy_from is not None and os.path.isfile(copy_from) else None
        with _named(shown):
            sink = FileSink(
                pending and os.fspath(pending.path), container, info, codec=codec, options=options, copy_from=tracks
            )
        return VideoWriter(sink, pending, info, shown)
    except BaseException:
        if pending is not None:
            pending.remove()
        raise


class PictureSink:
    """A folder of PNGs whose names sort in order, or one picture; as a player shows them."""

    def __init__(self, path: Path, info: VideoInfo, *, folder: bool):
        self._path = path
        self._info = info
        self._folder = folder
        self._deep = folder or path.suffix.lower() in DEEP_PICTURES
        self._count = 0

    def write(self, frame: Frame) -> None:
        if self._count and not self._folder:
            raise OutputError("one picture holds one frame: name a folder by a slash at its end")
        path = self._path / f"frame_{self._count:06d}.png" if self._folder else self._path
        picture = picture_of(frame.planes, self._info.pixels, deep=self._deep)
        write_picture(path, turn(picture, self._info.display_matrix))
        self._count += 1

    def finish(self) -> None:
        """Every picture is on disk already."""

    def abort(self) -> None:
        """The writer removes the folder."""


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Turns FFmpeg's and the system's errors into OutputError with the output's name."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"{name} can't be written: {error.strerror or error}") from error
