"""What a file holds, read by PyAV alone: each stream's frames or packets, their times and tags."""

import zlib
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from vdiff_jax.media.deinterlace import shows_bottom_first

_THUMBNAIL = (32, 24)
_ALPHA = ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16")
_LEAST_OPAQUE = 247
"""The least alpha, of 255, that counts as opaque. VP9 does not store opaque samples exactly."""
_EMPTY_TEXT = 2
"""The bytes of a packet of MP4's subtitles that clears the screen."""
_AAC_BYTES = 16
_FIRST_FIELD = {2: "top", 3: "bottom", 4: "top", 5: "bottom"}
"""The field that is shown first, by FFmpeg's number of the field order."""
_OWN_TAGS = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration", "creation_time", "timecode")
_OWN_TAGS += (
    "operational_pattern",
    "uid",
    "generation_uid",
    "company_name",
    "product_",
    "toolkit_",
    "material_package",
)
"""How the tags of a file begin that its muxer sets."""
_SIDE_DATA = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "A53_CC")


@dataclass(kw_only=True)
class Stream:
    """One stream of a file.

    Attributes:
      kind: "video", "audio", "subtitle", "attachment" or "data"; "cover" is an attached picture.
      codec: FFmpeg's name of the codec.
      times: seconds at which its frames (video) or packets (other kinds) start, counted from the first frame.
      prints: a thumbnail of each frame, or a checksum of each packet.
      tags: properties by name, such as `rotation` or `layout`.
      stretches: numbers of the frames or packets before which the file's clock jumps.
      end: seconds at which the last packet ends.
    """

    kind: str
    codec: str
    times: list[float] = field(default_factory=list)
    prints: list[Any] = field(default_factory=list)
    tags: dict[str, Any] = field(default_factory=dict)
    end: float = 0.0
    stretches: list[int] = field(default_factory=list)


def read_contents(path: Path) -> list[Stream]:
    """The streams of a file: first the video that is shown, then the others in the file's order."""
    if path.suffix == ".webp":
        return [_animation(path)]
    with av.open(str(path), metadata_errors="replace") as container:
        start = _start(container)
        streams = {stream.index: _described(stream) for stream in container.streams}
        if "mp4" in container.format.name and container.chapters():  # their titles are a track, too
            texts = [s.index for s in container.streams.data if s.metadata.get("handler_name") == "SubtitleHandler"]
            streams = {index: stream for index, stream in streams.items() if index not in texts}
        streams = {index: stream for index, stream in streams.items() if stream.codec != "timecode"}
        main = next((index for index, stream in streams.items() if stream.kind == "video"), None)
        for packet in _packets(container):
            stream = streams.get(packet.stream.index)
            if stream is None or packet.size == 0 or packet.stream.index == main:
                continue
            if stream.codec == "mov_text" and packet.size <= _EMPTY_TEXT:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stream.codec.startswith("pcm_") and stream.prints:  # containers divide it as they like
                stream.prints = [zlib.crc32(bytes(packet), stream.prints[0])]
                stream.end = float((stamp + (packet.duration or 0)) * packet.time_base) - start
                continue
            if stamp is not None:
                stream.times.append(float(stamp * packet.time_base) - start)
                stream.end = max(stream.end, stream.times[-1] + float((packet.duration or 0) * packet.time_base))
            stream.prints.append(zlib.crc32(_payload(packet, stream.codec)))
        whole = Stream(kind="file", codec="", tags=_file_tags(container))
        chapters = [(float(c["start"] * c["time_base"]) - start, c["metadata"]) for c in container.chapters()]
    result = [stream for index, stream in streams.items() if index != main and stream.tags.get("filename") != "vdiff"]
    if main is not None:
        _decode(path, main, streams[main], start)
        result.insert(0, streams[main])
    result.append(whole)
    if chapters:
        result.append(Stream(kind="chapters", codec="", times=[time for time, _ in chapters]))
    origin = result[0].times[0] if result and result[0].times else 0.0
    for stream in result:
        times, stream.stretches = continued(stream.times)
        stream.end += times[-1] - stream.times[-1] - origin if stream.stretches else -origin
        stream.times = [time - origin for time in times]
    return result


def _file_tags(container: av.container.InputContainer) -> dict[str, str]:
    """The tags of the whole file but for those that its muxer sets, and its timecode, wherever that is stored."""
    lower = [{key.lower(): text for key, text in part.metadata.items()} for part in (container, *container.streams)]
    tags = {k: text for k, text in lower[0].items() if not k.startswith(_OWN_TAGS) and not text.startswith("Lavf")}
    return tags | {"timecode": next((each["timecode"] for each in lower if "timecode" in each), "")}


def continued(times: list[float]) -> tuple[list[float], list[int]]:
    """The times without jumps, and the numbers of the times that follow a jump.

    Where times fall, or rise by more than 10 s, the usual step is taken instead.
    """
    if len(times) < 3:
        return times, []
    steps = np.diff(times)
    if (steps < 0).sum() > len(steps) / 8:
        return sorted(times), []  # AVI has no time stamps of display
    usual = float(np.median(steps))
    jumps = (steps < -0.1) | (steps > 10)
    steps = np.where(jumps, usual, steps)
    return list(accumulate(steps.tolist(), initial=times[0])), (np.flatnonzero(jumps) + 1).tolist()


def _animation(path: Path) -> Stream:
    """An animated WebP, which FFmpeg can't read."""
    video = Stream(kind="video", codec="webp")
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            shown = np.asarray(image.convert("RGB"))
            video.times.append(image.info["timestamp"] / 1000)
            video.prints.append(_thumbnail(av.VideoFrame.from_ndarray(shown, "rgb24")))
        video.tags = {"size": image.size, "alpha": False, "colour model": "rgb"}
    return video


def _payload(packet: av.Packet, codec: str) -> bytes:
    """A packet's bytes; of AAC the last ones, because MPEG's streams have headers before each packet."""
    data = bytes(packet)
    if codec != "aac":
        return data
    header = (7 if data[1] & 1 else 9) if data[0] == 0xFF and data[1] & 0xF6 == 0xF0 else 0
    return data[header:][-_AAC_BYTES:]


def _start(container: av.container.InputContainer) -> float:
    return (container.start_time or 0) / av.time_base


def _packets(container: av.container.InputContainer):
    """The packets of all streams up to the end or damage."""
    packets = container.demux()
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


def _described(stream: av.stream.Stream) -> Stream:
    context = stream.codec_context if stream.type in ("video", "audio", "subtitle") else None
    codec = context.codec.canonical_name if context else ""
    cover = stream.type == "video" and bool(stream.disposition & av.stream.Disposition.attached_pic)
    described = Stream(kind="cover" if cover else stream.type, codec=codec)
    if stream.type == "data" and "timecode" in stream.metadata:
        described.codec = "timecode"  # compared as a tag of the file
    if stream.type == "attachment":
        name, kind = stream.metadata.get("filename", ""), stream.metadata.get("mimetype", "")
        described.kind = "cover" if name.rpartition("/")[2].startswith("cover.") or "_cover." in name else "attachment"
        described.tags = {} if described.kind == "cover" else {"filename": name, "mimetype": kind}
    if stream.type == "audio" and context:
        described.tags = {"layout": context.layout.name, "rate": context.sample_rate}
    language = stream.metadata.get("language", "und")
    if stream.type in ("audio", "subtitle"):
        described.tags |= {"language": "und" if language == "" else language}
    if stream.type in ("audio", "subtitle", "video"):
        described.tags["title"] = stream.metadata.get("title") or stream.metadata.get("name", "")
        described.tags["disposition"] = int(stream.disposition)
    return described


def _decode(path: Path, index: int, video: Stream, start: float) -> None:
    """Adds the frames of the main video to its description."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams[index]
        first, transparent, order = None, False, _AviOrder() if container.format.name == "avi" else None
        for packet in _packets(container):
            if packet.stream.index != index:
                continue
            if order is not None and packet.size:
                order.keys += [packet.dts] if packet.is_keyframe else []
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                first = first or frame
                stamp = frame.pts if frame.pts is not None else frame.dts
                stamp = order(frame) if order is not None else stamp
                step = video.times[-1] - video.times[-2] if len(video.times) > 1 else 0.04
                after = video.times[-1] + start + step if video.times else start
                video.times.append((float(stamp * stream.time_base) if stamp is not None else after) - start)
                video.prints.append(_thumbnail(frame))
                transparent = transparent or _is_transparent(frame)
        if first is not None:
            video.tags |= _video_tags(stream, first)
            video.tags["alpha"] = transparent or (_tagged_alpha(stream) and _has_transparent_vp9(path, index))


class _AviOrder:
    """Times of AVI's frames, which store none: their packets' times, beginning with that of the first key frame."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self._delay: int | None = None

    def __call__(self, frame: av.VideoFrame) -> int | None:
        if self._delay is None and frame.dts is not None:
            self._delay = max(0, frame.dts - self.keys[0]) if self.keys else 0
        return None if frame.dts is None or self._delay is None else frame.dts - self._delay


def _is_transparent(frame: av.VideoFrame) -> bool:
    opaque = not frame.format.name.startswith(_ALPHA)
    return not opaque and bool(frame.reformat(format="rgba").to_ndarray()[..., 3].min() < _LEAST_OPAQUE)


def _tagged_alpha(stream: av.VideoStream) -> bool:
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def _has_transparent_vp9(path: Path, index: int) -> bool:
    """Whether a frame is transparent in libvpx's decoder. FFmpeg's own decoder gives no alpha channel."""
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    with av.open(str(path)) as container:
        packets = (packet if packet.size else None for packet in container.demux(container.streams[index]))
        return any(_is_transparent(frame) for packet in packets for frame in decoder.decode(packet))


def _fields(number: int, first: av.VideoFrame) -> str:
    return _FIRST_FIELD.get(number) or ("bottom" if shows_bottom_first([first]) else "top")


def _colour_model(form: av.VideoFormat) -> str:
    if form.is_rgb or form.has_palette:
        return "rgb"
    return "gray" if form.name.startswith(("gray", "mono", "ya")) else "yuv"


def _thumbnail(frame: av.VideoFrame) -> np.ndarray:
    luma = frame.reformat(format="gray16le").to_ndarray()  # FFmpeg scales interlaced frames field by field
    return cv2.resize(luma, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) / 65535


def _video_tags(stream: av.VideoStream, first: av.VideoFrame) -> dict[str, Any]:
    context, name = stream.codec_context, first.format.name
    matrix = first.side_data.get("DISPLAYMATRIX")
    tags = {
        "size": (first.width, first.height),
        "bits": max(component.bits for component in first.format.components),
        "sample aspect": stream.sample_aspect_ratio or 1,
        "primaries": first.color_primaries,
        "transfer": first.color_trc,
        "range": first.color_range or (2 if "yuvj" in name else context.color_range),
        "matrix": first.colorspace,
        "rotation": None if matrix is None else tuple(np.frombuffer(bytes(matrix), "<i4").tolist()),
        "fields": _fields(context.field_order, first) if first.interlaced_frame else "progressive",
        "colour model": _colour_model(first.format),
    }
    return tags | {name: first.side_data.get(name) is not None for name in _SIDE_DATA}
