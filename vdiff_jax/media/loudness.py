"""The soundtrack of a film: each clip's sound at the same loudness (EBU R 128, FFmpeg's loudnorm)."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from vdiff_jax.errors import InputError
from vdiff_jax.media.clock import clock_of
from vdiff_jax.media.probe import open_container
from vdiff_jax.media.uniform_sound import UniformSound

RATE = 48_000
_TARGET = "I=-16:TP=-1.5:LRA=11"
_BLOCK = 4800


def has_sound(path: str | Path) -> bool:
    """Whether a file has a sound track."""
    try:
        with open_container(str(path), str(path)) as container:
            return bool(container.streams.audio)
    except InputError:
        return False


def normalised(path: str | Path, start: float, stop: float) -> Iterator[np.ndarray]:
    """A file's sound from `start` to `stop` seconds at -16 LUFS, in blocks `2 n` of float samples at 48 kHz.

    Seconds count from the beginning of the file, whatever time its clock shows there.
    """
    with open_container(str(path), str(path)) as container:
        stream = container.streams.audio[0]
        clock = clock_of(str(path))
        origin = clock.start(container)
        graph = av.filter.Graph()
        chain = [
            graph.add_abuffer(template=stream),
            graph.add("aresample", "async=1:min_hard_comp=0.01:first_pts=0"),
            graph.add("atrim", f"start={start:.6f}:end={stop:.6f}"),
            graph.add("asetpts", "PTS-STARTPTS"),
            graph.add("loudnorm", _TARGET),
            graph.add("aresample", str(RATE)),
            graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*chain).configure()
        for frame in itertools.chain(_decoded(clock.packets(container, [stream])), [None]):
            if frame is not None and frame.pts is not None:
                frame.pts -= round(origin / frame.time_base)
            try:
                graph.push(frame)
            except av.EOFError:  # the filters have all the sound they need
                break
            yield from _finished(graph)
        yield from _finished(graph)


def _decoded(packets: Iterator[av.Packet]) -> Iterator[av.AudioFrame]:
    """The sound of all packets that can be decoded."""
    uniform = UniformSound()
    with contextlib.suppress(av.FFmpegError):
        for packet in packets:
            with contextlib.suppress(av.FFmpegError):
                for frame in packet.decode():
                    yield from uniform(frame)


def _finished(graph: av.filter.Graph) -> Iterator[np.ndarray]:
    while True:
        try:
            yield graph.pull().to_ndarray()
        except (av.BlockingIOError, av.EOFError):
            return


def write_soundtrack(path: str | Path, spans: Sequence[tuple[str | None, float, float, float]]) -> bool:
    """Writes a film's sound as FLAC in Matroska. Returns False and writes nothing where no clip has sound.

    Args:
      path: the file to write, which ends in .mka.
      spans: for each clip its file (None for silence), the seconds at which it starts and stops, and the seconds of
        silence before it.
    """
    if not any(file is not None and has_sound(file) for file, *_ in spans):
        return False
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("flac", rate=RATE, layout="stereo")
        written = 0
        due = 0.0
        for file, start, stop, gap in spans:
            due += gap
            written = _pad(container, stream, written, round(due * RATE))
            due += stop - start
            end = round(due * RATE)
            if file is not None and has_sound(file):
                for block in normalised(file, start, stop):
                    written = _encode(container, stream, written, block[:, : max(0, end - written)])
            written = _pad(container, stream, written, end)
        container.mux(stream.encode(None))
    return True


def _pad(container: OutputContainer, stream: AudioStream, written: int, end: int) -> int:
    """Encodes silence up to the sample `end`; returns how many samples are written then."""
    return _encode(container, stream, written, np.zeros((2, max(0, end - written)), np.float32))


def _encode(container: OutputContainer, stream: AudioStream, written: int, samples: np.ndarray) -> int:
    """Encodes samples `2 n` in [-1, 1] after those written so far; returns how many samples are written then."""
    for at in range(0, samples.shape[1], _BLOCK):
        block = np.ascontiguousarray(samples[:, at : at + _BLOCK])
        whole = np.rint(block.clip(-1, 1) * 32767).astype(np.int16).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, written
        container.mux(stream.encode(frame))
        written += block.shape[1]
    return written
