"""FFmpeg's own filters, by PyAV: a graph of filters in a row, fed and drained frame by frame."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av

from vdiff_jax.media.planes import frame_of, planes_of
from vdiff_jax.pixels import Frame, PixelFormat

FilterChain = Sequence[tuple[str, str]]
"""Filters in their order, each with its options as FFmpeg writes them."""


def has_filter(name: str) -> bool:
    """Whether this FFmpeg has a filter."""
    return name in av.filter.filters_available


def apply_filters(
    frames: Sequence[Frame], pixels: PixelFormat, row: FilterChain, *, rate: Fraction | int = 25
) -> list[Frame]:
    """Frames, evenly spaced, as filters leave them, in the same format; times are lost.

    Raises:
      av.FFmpegError: a filter refuses its options or the frames.
    """
    time_base = 1 / Fraction(rate)
    pictures = [frame_of(frame.planes, pixels) for frame in frames]
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number, time_base
    back = [*row, ("format", f"pix_fmts={pixels.name}")]
    shown = run_filters(iter(pictures), back, time_base)
    return [Frame(planes_of(picture, pixels), number) for number, picture in enumerate(shown)]


def run_filters(frames: Iterator[av.VideoFrame], row: FilterChain, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Pictures as filters leave them; the graph is built anew where the frames' format changes."""
    graph, layout = None, None
    for frame in frames:
        seen = (frame.width, frame.height, frame.format.name)
        if graph is None or seen != layout:
            if graph is not None:
                yield from _rest(graph, time_base)
            graph, layout = _graph(frame, row, time_base), seen
        graph.vpush(frame)
        yield from _ready(graph, time_base)
    if graph is not None:
        yield from _rest(graph, time_base)


def _graph(frame: av.VideoFrame, row: FilterChain, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    filters = [graph.add(name, options) for name, options in row]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph


def _rest(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from _ready(graph, time_base)


def _ready(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The pictures that the filters have finished; they may count time in a base of their own."""
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.pts is not None:
            frame.pts = round(frame.pts * frame.time_base / time_base)
            frame.time_base = time_base
        yield frame
