"""GIF's 256 colours."""

import contextlib

import av
import av.filter

from vdiff_jax.media.video import VideoInfo


class Palette:
    """256 colours chosen for each frame, dithered; holds one frame."""

    def __init__(self, info: VideoInfo):
        graph = av.filter.Graph()
        source = graph.add_buffer(width=info.width, height=info.height, format="bgra", time_base=info.time_base)
        split = graph.add("split")
        chosen = graph.add("palettegen", "stats_mode=single")
        used = graph.add("paletteuse", "new=1:dither=sierra2_4a")
        source.link_to(split)
        split.link_to(chosen, 0, 0)
        split.link_to(used, 1, 0)
        chosen.link_to(used, 0, 1)
        used.link_to(graph.add("buffersink"))
        graph.configure()
        self._graph = graph

    def __call__(self, picture: av.VideoFrame | None) -> list[av.VideoFrame]:
        self._graph.vpush(None if picture is None else picture.reformat(format="bgra"))
        ready = []
        with contextlib.suppress(av.BlockingIOError, EOFError):
            while True:
                ready.append(self._graph.vpull())
        return ready
