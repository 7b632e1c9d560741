"""Writing a video to a file, a folder of pictures, one picture, or as YUV4MPEG2 to stdout."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import av
import numpy as np

from vdiff_jax.errors import FormatError, OutputError
from vdiff_jax.media.encoders import container_of
from vdiff_jax.media.fidelity import warn_of_losses
from vdiff_jax.media.mux import FileSink
from vdiff_jax.media.picture_sink import PictureSink
from vdiff_jax.media.sources import WRITABLE_PICTURES, Source
from vdiff_jax.media.target import PendingFile, check_target, is_folder_target
from vdiff_jax.media.threads import WriteQueue, queue_depth
from vdiff_jax.media.tracks import COPY, check_audio_codec
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.array_files import read_arrays
from vdiff_jax.runtime.checkpoints import Checkpoints


@runtime_checkable
class Sink(Protocol):
    """What a `VideoWriter` writes to: an encoder or pictures."""

    def write(self, frame: Frame) -> None:
        """Writes the next frame."""
        ...

    def cut(self) -> None:
        """Completes what is written of the frames so far, so that a later run can continue there."""
        ...

    def finish(self) -> None:
        """Completes the output after the last frame."""
        ...

    def abort(self) -> None:
        """Closes the output, which will be deleted."""
        ...


class VideoWriter:
    """Encodes frames, given in order, in a thread; a context manager.

    At the end of the `with` block the output gets its name. After an exception it is deleted, but its checkpoints stay.
    """

    def __init__(
        self, sink: Sink, pending: PendingFile | None, info: VideoInfo, name: str, checkpoints: Checkpoints | None
    ):
        self._sink = sink
        self._pending = pending
        self._info = info
        self._name = name
        self._checkpoints = checkpoints or Checkpoints()
        self._count = self._checkpoints.begun.frames
        self._shapes = info.pixels.plane_shapes(info.width, info.height)
        self._queue: WriteQueue[Frame | int] = WriteQueue(self._consume, queue_depth(info.frame_bytes))

    def _consume(self, item: Frame | int) -> None:
        """Writes a frame; a number stands for the checkpoint after that many frames."""
        if isinstance(item, int):
            self._sink.cut()
            self._checkpoints.commit(item)
        else:
            self._sink.write(item)

    def write(self, frame: Frame) -> None:
        """Passes a frame to the encoder; waits while its queue is full. The planes must not be changed afterwards.

        Raises:
            FormatError: the planes have another shape or type than the writer was opened for.
            OutputError: an earlier frame could not be written.
        """
        shapes = tuple(plane.shape for plane in frame.planes)
        if shapes != self._shapes or any(plane.dtype != self._info.pixels.dtype for plane in frame.planes):
            types = ", ".join(sorted({str(plane.dtype) for plane in frame.planes}))
            raise FormatError(
                f"frame {self._count} has planes {shapes} of {types}: "
                f"{self._info.pixels.name} of {self._info.width}x{self._info.height} needs {self._shapes}"
            )
        with _named(self._name):
            self._queue.put(frame)
            self._count += 1
            if self._checkpoints.here(self._count):
                self._queue.put(self._count)

    def close(self) -> None:
        """Writes the queued frames and gives the output its name.

        Raises:
            OutputError: a frame could not be written, or there was none.
        """
        try:
            with _named(self._name):
                self._queue.finish()
                if self._count == 0:
                    raise OutputError(f"{self._name} can't be written: there are no frames")
                self._sink.finish()
        except BaseException:
            self.abort()
            raise
        try:
            if self._pending is not None:
                self._pending.commit()
        finally:
            if self._pending is None or self._pending.whole:
                self._checkpoints.discard()

    def abort(self) -> None:
        """Stops and deletes the output; its checkpoints stay."""
        self._queue.stop()
        self._sink.abort()
        if self._pending is not None:
            if self._checkpoints.holds(self._pending.path):
                self._pending.release()
            else:
                self._pending.remove()
        self._checkpoints.close()

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
    audio_codec: str = COPY,
    trial: bool = False,
    checkpoints: Checkpoints | None = None,
    noise: float | None = None,
    frugal: bool = False,
    lost_before: Sequence[str] = (),
) -> VideoWriter:
    """Opens an output.

    Args:
        target: a file by its ending (.mp4 .m4v .mov .mkv .webm .gif .y4m, or a picture's), a folder of PNGs (ends in a
            slash, or is an empty folder), or `-` (YUV4MPEG2 on stdout).
        info: properties of the frames to come: format, size, tags, rotation, time base, and the part of `copy_from`
            that they cover.
        codec, options: the name of an FFmpeg encoder, None for the container's default; and its options.
        copy_from: the file whose sound, subtitles, chapters and metadata are copied where the container holds them.
        audio_codec: "copy", "none" (no sound), or a codec to encode the sound in: aac, opus or flac.
        trial: the output is not for the user, so that nothing is said about what it loses.
        checkpoints: those of an earlier run, after which writing continues; they receive those of this run.
        noise: the sigma of the noise that was removed, in 8-bit units: the default quality is finer after weak noise.
        frugal: the encoder takes little memory.
        lost_before: what the frames have lost already, for the warning that names what the output loses.

    Raises:
        OutputError: as for `check_target`; also if the ending or the encoder is unknown, or the encoder rejects the
            video.
        OptionError: the encoder has no such option.
    """
    name = os.fspath(target)
    check_target(name, (info.path, copy_from))
    if is_folder_target(name) or Path(name).suffix.lower() in WRITABLE_PICTURES:
        sink, pending, checkpoints = _open_pictures(name, info, checkpoints)
        if not trial:
            warn_of_losses([*lost_before, *sink.losses()], name)
        return VideoWriter(sink, pending, info, name, checkpoints)
    container = "yuv4mpegpipe" if name == "-" else container_of(name)
    check_audio_codec(container, audio_codec)
    pending = None if name == "-" else PendingFile(name)
    shown = "stdout" if name == "-" else name
    try:
        tracks = os.fspath(copy_from) if copy_from is not None and os.path.isfile(copy_from) else None
        encoder = {"codec": codec, "options": options, "audio_codec": audio_codec, "noise": noise, "frugal": frugal}
        with _named(shown):
            sink = FileSink(pending and os.fspath(pending.path), container, info, copy_from=tracks, **encoder)
            if checkpoints is not None and checkpoints.folder is not None:
                _keep_packets(sink, checkpoints)
        if not trial:
            warn_of_losses([*lost_before, *sink.losses()], shown)
        return VideoWriter(sink, pending, info, shown, checkpoints)
    except BaseException:
        if pending is not None:
            pending.remove()
        raise


def _keep_packets(sink: FileSink, checkpoints: Checkpoints) -> None:
    """Writes the packets of an earlier run into a file; the checkpoints receive those to come."""
    segments = ((path, read_arrays(path)) for path in checkpoints.segments())
    sink.keep(segments, checkpoints.begun.frames, checkpoints.add)


def _open_pictures(
    name: str, info: VideoInfo, checkpoints: Checkpoints | None
) -> tuple[PictureSink, PendingFile, Checkpoints | None]:
    """A sink for a folder of pictures or one picture, its temporary file, and the checkpoints, which one has not."""
    folder = is_folder_target(name)
    checkpoints = checkpoints if folder else None
    pending = PendingFile(name, folder=folder, kept=checkpoints and checkpoints.kept_pictures())
    count = checkpoints.begun.frames if checkpoints else 0
    return PictureSink(pending.path, info, folder=folder, count=count), pending, checkpoints


def encode_segment(
    frames: Iterable[Frame],
    target: Source,
    info: VideoInfo,
    *,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    noise: float | None = None,
) -> list[np.ndarray]:
    """The packets of a part of a video as arrays, encoded as for `target`: a later run muxes them (`Checkpoints`).

    Args:
        frames: of the part, with the times of the whole video.
        target: the file that they are for.
        info: properties of the whole video.
        codec: the name of an FFmpeg encoder; None for the container's default.
        options: the encoder's options.
        noise: as for `open_writer`.

    Raises:
        OutputError: the encoder rejects the video, or the disk is full.
        OptionError: the encoder has no such option.
    """
    name, container = os.fspath(target), container_of(os.fspath(target))
    with tempfile.TemporaryDirectory(prefix="vdiff_jax-") as folder, _named(name):
        path = os.path.join(folder, "segment" + Path(name).suffix)
        sink = FileSink(path, container, info, copy_from=None, codec=codec, options=options, noise=noise)
        arrays: list[np.ndarray] = []
        try:
            sink.keep((), 0, arrays.extend)
            for frame in frames:
                sink.write(frame)
            sink.cut()
            return arrays
        finally:
            sink.abort()


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Turns errors of FFmpeg and the system into an OutputError that names the output."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"{name} can't be written: {error.strerror or error}") from error
