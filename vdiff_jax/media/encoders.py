"""Which encoder writes a video, in which pixel format, with which options."""

import contextlib
import difflib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av

from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media.planes import RANGE_LIMITED, TAG_OF_MATRIX, pixel_format
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.pixels import PixelFormat

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".gif": "gif",
    ".y4m": "yuv4mpegpipe",
}
DEFAULT_CODECS = {"webm": "libvpx-vp9", "gif": "gif", "yuv4mpegpipe": "wrapped_avframe"}
WELL_KNOWN = (
    "libx264 libx264rgb libx265 libsvtav1 libvpx-vp9 libvpx ffv1 prores_ks utvideo huffyuv mpeg4 mpeg2video mjpeg"
)
# Close to transparent: what was repaired should not be lost again.
QUALITY = {
    "libx264": {"crf": "15", "preset": "veryfast"},
    "libx264rgb": {"crf": "15", "preset": "veryfast"},
    "libx265": {"crf": "18", "preset": "medium"},
    "libsvtav1": {"crf": "18", "preset": "8"},
    "libvpx-vp9": {"crf": "18", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "mpeg4": {"b": "20M"},
    "mpeg2video": {"b": "20M"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}
# x264 complains of an unknown one on stderr, past FFmpeg's log.
X26X_PRESETS = "ultrafast superfast veryfast faster fast medium slow slower veryslow placebo".split()  # noqa: SIM905
PRESETS = {
    **dict.fromkeys(("libx264", "libx264rgb", "libx265"), X26X_PRESETS),
    "libsvtav1": [str(number) for number in range(-1, 14)],
}
RATE_CONTROLS = frozenset({"b", "crf", "qp", "global_quality", "qscale"})
# These refuse 4:2:0 and 4:2:2 of odd sizes.
EVEN_ONLY = frozenset({"libx264", "libx265", "h264_nvenc", "hevc_nvenc", "prores_ks", "prores", "prores_aw"})
# These want a time base of one frame.
FIXED_RATE = frozenset({"mpeg4", "mpeg2video", "mpeg1video", "msmpeg4", "h263", "h263p", "flv", "wmv1", "wmv2"})
Y4M_NAMES = (
    "gray",
    "yuv411p",
    *(f"gray{bits}le" for bits in (9, 10, 12, 16)),
    *(f"yuv{ratio}p{depth}" for depth in ("", "9le", "10le", "12le", "14le", "16le") for ratio in (420, 422, 444)),
)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a video is encoded.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: the planes it is given.
        pack: the packed format these are reordered into, losslessly, where it takes no planes.
        info: the video with the tags and the time base of the output.
        options: of the encoder.
    """

    codec: str
    pixels: PixelFormat
    pack: str | None
    info: VideoInfo
    options: dict[str, str]


def container_of(name: str) -> str:
    """FFmpeg's muxer by a file's ending.

    Raises:
        OutputError: there is none, or it is unknown.
    """
    ending = os.path.splitext(name)[1].lower()
    if ending in CONTAINERS:
        return CONTAINERS[ending]
    known = " ".join(CONTAINERS)
    reason = f"the ending {ending} is unknown" if ending else "it has no ending"
    raise OutputError(f"{name}: {reason}; known are {known} .png, and a slash at the end for a folder of pictures")


def available_encoders(names: Iterable[str]) -> list[str]:
    """Those that this FFmpeg has."""
    return [name for name in names if name in av.codecs_available]


def choose_encoding(container: str, info: VideoInfo, codec: str | None, options: dict[str, str] | None) -> Encoding:
    """The encoder and pixel format nearest to the video's own.

    Raises:
        OutputError: this FFmpeg has no such encoder.
        OptionError: the encoder has no such option.
    """
    if codec is None or container in ("gif", "yuv4mpegpipe"):
        deep_webm = container == "webm" and info.pixels.bits > 8
        codec = "libsvtav1" if deep_webm else DEFAULT_CODECS.get(container, "libx264")
    encoder = _find(codec)
    pixels, pack = _choose_pixels(encoder, info)
    tags = info.tags
    if pixels.kind == "yuv" and info.pixels.kind != "yuv":
        tags = replace(tags, matrix=TAG_OF_MATRIX[pixels.matrix], range=RANGE_LIMITED)
    time_base = 1 / info.rate if encoder.name in FIXED_RATE or container == "yuv4mpegpipe" else info.time_base
    return Encoding(
        codec=encoder.name,
        pixels=pixels,
        pack=pack,
        info=replace(info, pixels=pixels, tags=tags, time_base=Fraction(time_base)),
        options=_options(encoder.name, pixels, options or {}),
    )


def _find(codec: str) -> av.Codec:
    try:
        encoder = av.Codec(codec, "w")
        if encoder.type == "video":
            return encoder
    except ValueError:
        pass
    there = [name for name in WELL_KNOWN.split() if name in av.codecs_available]
    raise OutputError(f"this FFmpeg has no video encoder {codec}; it has {', '.join(there)}")


def _choose_pixels(encoder: av.Codec, info: VideoInfo) -> tuple[PixelFormat, str | None]:
    """The format of least loss; R'G'B' and gray become 4:2:0 for lossy encoders, for few players show anything else."""
    names = Y4M_NAMES if encoder.name == "wrapped_avframe" else [f.name for f in encoder.video_formats or ()]
    pixels = info.pixels
    lossy = encoder.lossy and encoder.name != "libx264rgb" and encoder.name != "gif"
    wanted = pixels
    if lossy and pixels.kind != "yuv":
        wanted = replace(pixels, kind="yuv", subsampling=(2, 2), full_range=False)
    if encoder.name == "gif":
        return PixelFormat(kind="rgb", full_range=True, matrix=pixels.matrix, alpha=pixels.alpha), None
    if not names:
        return wanted, None
    odd_x, odd_y = info.width % 2, info.height % 2
    offers = []
    for name in names:
        offer = _offer(name, wanted)
        x, y = offer.subsampling
        if encoder.name in EVEN_ONLY and ((x > 1 and odd_x) or (y > 1 and odd_y)):
            continue
        if offer.name == name or offer.kind == "rgb":
            offers.append((_loss(wanted, offer), offer.name != name, offer, None if offer.name == name else name))
    if not offers:
        raise OutputError(
            f"the encoder {encoder.name} takes no pixel format that holds {info.width}x{info.height} video"
        )
    _, _, offer, pack = min(offers, key=lambda entry: entry[:2])
    return offer, pack


def _offer(name: str, wanted: PixelFormat) -> PixelFormat:
    """An encoder's format with the colours of the video."""
    offer = pixel_format(av.VideoFormat(name), height=0)
    full = offer.kind == "rgb" or (wanted.full_range and wanted.kind == offer.kind)
    full = full or (offer.kind == "gray" and wanted.kind != "yuv")
    return replace(offer, full_range=full, matrix=wanted.matrix)


def _loss(source: PixelFormat, offer: PixelFormat) -> tuple[int, ...]:
    """What a conversion costs, the worst first; 0 everywhere is the same format."""
    colours = offer.kind != source.kind
    finer = [o - s for o, s in zip(offer.subsampling, source.subsampling, strict=True)]
    return (
        source.kind != "gray" and offer.kind == "gray",
        colours and not (source.kind == "gray" and offer.kind == "yuv"),
        sum(max(0, step) for step in finer),
        max(0, source.bits - offer.bits),
        source.alpha and not offer.alpha,
        colours,
        sum(max(0, -step) for step in finer),
        max(0, offer.bits - source.bits),
        offer.alpha and not source.alpha,
    )


def _options(codec: str, pixels: PixelFormat, given: dict[str, str]) -> dict[str, str]:
    context = av.CodecContext.create(codec, "w")
    known = context.supported_options
    names = {option.name for option in (*known.private, *known.generic)} | {"qscale"}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise OptionError(
                f"the encoder {codec} has no option {name}" + (f": did you mean {near[0]}?" if near else "")
            )
    options = dict(QUALITY.get(codec, {}))
    if codec == "ffv1" and max(pixels.subsampling) > 2:
        options["slices"] = "1"  # FFmpeg's FFV1 loses a column of 4:1:1 chroma where slices meet at an odd place
    if RATE_CONTROLS & given.keys():
        options = {name: value for name, value in options.items() if name not in RATE_CONTROLS}
    options.update({name: str(value) for name, value in given.items()})
    if codec in PRESETS and options["preset"] not in PRESETS[codec]:
        raise OptionError(f"{codec} has no preset {options['preset']}: it has {' '.join(PRESETS[codec])}")
    silence_encoder(codec, options)
    return options


@contextlib.contextmanager
def keep_scheduling_priority() -> Iterator[None]:
    """Keeps SVT-AV1 from leaving the thread that calls it a real-time one, as which root's go before all others."""
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def silence_encoder(codec: str, options: dict[str, str]) -> None:
    """Adds what keeps x265 and SVT-AV1 from printing on stderr, past FFmpeg's log."""
    if codec == "libx265":
        given = options.get("x265-params", "")
        options["x265-params"] = f"{given}:log-level=none".lstrip(":")
    elif codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "0")
