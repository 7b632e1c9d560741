"""The sound of a film: each clip's brought to one loudness (EBU R 128, FFmpeg's loudnorm) and put one after another."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

RATE = 48_000
_TARGET = "I=-16:TP=-1.5:LRA=11"
_BLOCK = 4800


def has_sound(path: str | Path) -> bool:
    """Whether a file has a sound track that can be decoded."""
    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, OSError):
        return False


def normalised(path: str | Path, start: float, stop: float) -> Iterator[np.ndarray]:
    """The sound of a file from one second to another as blocks of 2 × n float samples at 48 kHz, loudness -16 LUFS."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        graph = av.filter.Graph()
        chain = [
            graph.add_abuffer(template=stream),
            graph.add("aresample", "async=1:first_pts=0"),
            graph.add("atrim", f"start={start:.6f}:end={stop:.6f}"),
            graph.add("asetpts", "PTS-STARTPTS"),
            graph.add("loudnorm", _TARGET),
            graph.add("aresample", str(RATE)),
            graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*chain).configure()
        for frame in container.decode(stream):
            if frame.time is not None and frame.time > stop + 1.0:
                break
            graph.push(frame)
            yield from _pulled(graph)
        graph.push(None)
        yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[np.ndarray]:
    while True:
        try:
            yield graph.pull().to_ndarray()
        except (av.BlockingIOError, av.EOFError):
            return


def write_soundtrack(path: str | Path, spans: Sequence[tuple[str | None, float, float, float]]) -> bool:
    """Writes the film's sound as FLAC in Matroska; False, and nothing written, when no clip has any.

    Args:
      path: ends in .mka.
      spans: each clip's file (None for silence), from and to which second it is shown, and the silence before it.
    """
    if not any(file is not None and has_sound(file) for file, *_ in spans):
        return False
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("flac", rate=RATE, layout="stereo")
        written = 0
        due = 0.0
        for file, start, stop, gap in spans:
            due += gap
            written = _put(container, stream, np.zeros((2, max(0, round(due * RATE) - written)), np.float32), written)
            due += stop - start
            end = round(due * RATE)
            if file is not None and has_sound(file):
                for block in normalised(file, start, stop):
                    written = _put(container, stream, block[:, : max(0, end - written)], written)
            written = _put(container, stream, np.zeros((2, max(0, end - written)), np.float32), written)
        container.mux(stream.encode(None))
    return True


def _put(container, stream, samples: np.ndarray, written: int) -> int:
    for at in range(0, samples.shape[1], _BLOCK):
        block = np.ascontiguousarray(samples[:, at : at + _BLOCK])
        whole = np.rint(block.clip(-1, 1) * 32767).astype(np.int16).T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, written
        container.mux(stream.encode(frame))
        written += block.shape[1]
    return written
