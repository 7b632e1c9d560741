"""Cover pictures: copied as an attached picture in MP4, as an attachment in Matroska."""

from collections.abc import Iterator

import av

from vdiff_jax.media.probe import open_container

_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png"), "bmp": ("cover.bmp", "image/bmp")}


def main_video(container: av.container.InputContainer) -> int | None:
    """The index of the video stream that players show; None if there is none."""
    best = container.streams.best("video")
    attached = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & attached]
    return next((stream.index for stream in (best, *streams) if stream in streams), None)


class Covers:
    """Copies the cover pictures of the file `path` into `output`."""

    def __init__(self, path: str, output: av.container.OutputContainer, container: str):
        self._path = path
        self._output = output
        self._container = container
        self._waiting: list[av.Packet] = []
        self._names: set[str] = set()

    def add(self, stream: av.VideoStream) -> str | None:
        """Adds a cover to the output before its header is written; returns why it can't be kept, None if it is."""
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        packet = self._packet(stream.index)
        if packet is None or codec not in _TYPES:
            return f"its codec {codec} is not supported for cover pictures"
        if self._container == "matroska":
            name, kind = _TYPES[codec]
            name = name if name not in self._names else f"{stream.index}_{name}"
            self._names.add(name)
            self._output.add_attachment(name, kind, bytes(packet))
            return None
        if self._container != "mp4":
            return f"{self._container} can't hold a cover picture; .mp4 and .mkv keep it"
        copy = self._output.add_stream_from_template(stream)
        copy.disposition = stream.disposition
        packet.pts = packet.dts = 0
        packet.stream = copy
        self._waiting.append(packet)
        return None

    def packets(self) -> Iterator[av.Packet]:
        """The packets to mux, once, after the header is written."""
        while self._waiting:
            yield self._waiting.pop()

    def _packet(self, index: int) -> av.Packet | None:
        """The packet that holds the picture."""
        with open_container(self._path, self._path) as container:
            return next((packet for packet in container.demux(container.streams[index]) if packet.size), None)
