"""Whole pictures from interlaced fields, by FFmpeg's filter bwdif (Bob Weaver, with Yadif's and w3fdif's kernels)."""

from collections.abc import Iterator
from fractions import Fraction

import av


def deinterlaced(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """One whole picture for each frame, at the same time; the graph is built anew where the frames' format changes."""
    graph, layout = None, None
    for frame in frames:
        seen = (frame.width, frame.height, frame.format.name)
        if graph is None or seen != layout:
            if graph is not None:
                yield from _rest(graph, time_base)
            graph, layout = _graph(frame, time_base), seen
        graph.vpush(frame)
        yield from _ready(graph, time_base)
    if graph is not None:
        yield from _rest(graph, time_base)


def _graph(frame: av.VideoFrame, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=all"), graph.add("buffersink")).configure()
    return graph


def _rest(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    graph.vpush(None)
    yield from _ready(graph, time_base)


def _ready(graph: av.filter.Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The pictures that the filter has finished; it counts time in a base of its own."""
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if frame.pts is not None:
            frame.pts = round(frame.pts * frame.time_base / time_base)
            frame.time_base = time_base
        yield frame
