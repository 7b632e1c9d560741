"""FFmpeg's filters through PyAV: a chain of filters that takes and returns one frame after another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import av

from vdiff_jax.media.planes import frame_of, planes_of
from vdiff_jax.pixels import Frame, PixelFormat

FilterChain = Sequence[tuple[str, str]]
"""Filters in order, each a name and its options in FFmpeg's syntax."""


def has_filter(name: str) -> bool:
    """Whether this FFmpeg has the filter."""
    return name in av.filter.filters_available


def apply_filters(
    frames: Sequence[Frame], pixels: PixelFormat, chain: FilterChain, *, rate: Fraction | int = 25
) -> list[Frame]:
    """Evenly spaced frames after filtering, in the same pixel format. Their `pts` become 0, 1, 2, ...

    Raises:
      av.FFmpegError: a filter rejects its options or the frames.
    """
    time_base = 1 / Fraction(rate)
    pictures = [frame_of(frame.planes, pixels) for frame in frames]
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number, time_base
    chain = [*chain, ("format", f"pix_fmts={pixels.name}")]
    shown = run_filters(iter(pictures), chain, time_base)
    return [Frame(planes_of(picture, pixels), number) for number, picture in enumerate(shown)]


def scaled(frames: Iterable[Frame], pixels: PixelFormat, size: tuple[int, int]) -> Iterator[Frame]:
    """The frames in another width and height, by swscale's bicubic filter; everything else stays."""
    width, height = size
    for frame in frames:
        picture = frame_of(frame.planes, pixels).reformat(width, height, interpolation="BICUBIC")
        yield replace(frame, planes=planes_of(picture, pixels))


def run_filters(frames: Iterator[av.VideoFrame], chain: FilterChain, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Pictures after filtering. The graph is rebuilt where the frames' size or format changes."""
    graph, graph_format = None, None
    for frame in frames:
        frame_format = (frame.width, frame.height, frame.format.name)
        if graph is None or frame_format != graph_format:
            if graph is not None:
                yield from _flushed(graph, time_base)
            graph, graph_format = filter_graph(frame, chain, time_base), frame_format
        graph.vpush(frame)
        yield from _finished(graph, time_base)
    if graph is not None:
        yield from _flushed(graph, time_base)


def filter_graph(frame: av.VideoFrame, chain: FilterChain, time_base: Fraction) -> av.filter.Graph:
    """A chain of filters for pictures of the size and format of `frame`."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    filters = [graph.add(name, options) for name, options in chain]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph


def _flushed(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from _finished(graph, time_base)


def _finished(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The pictures that the filters have finished, with times in `time_base` whatever the filters count in."""
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.pts is not None:
            frame.pts = round(frame.pts * frame.time_base / time_base)
            frame.time_base = time_base
        yield frame
