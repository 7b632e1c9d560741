"""The choice of an encoder, its pixel format and its options."""

import contextlib
import difflib
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av

from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media.encoder_defaults import DEFAULT_OPTIONS, FRUGAL_OPTIONS, RATE_CONTROLS, options_after_noise
from vdiff_jax.media.encoder_faults import without_faults
from vdiff_jax.media.fidelity import fidelity_options
from vdiff_jax.media.hardware import HARDWARE, opens
from vdiff_jax.media.planes import RANGE_LIMITED, TAG_OF_MATRIX, pixel_format
from vdiff_jax.media.sources import PICTURE_ENDINGS
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
DEFAULT_CODECS = {"webm": "libvpx-vp9", "gif": "gif", "yuv4mpegpipe": "rawvideo"}
WELL_KNOWN = (
    "libx264 libx264rgb libx265 libsvtav1 libvpx-vp9 libvpx ffv1 prores_ks utvideo huffyuv mpeg4 mpeg2video mjpeg"
)
CRF_OF_HARDWARE = {"nvenc": ("cq",), "qsv": ("global_quality",), "amf": ("qp_i", "qp_p")}
"""What the encoders of a graphics chip call the quality that others call crf; their scale is that of x264."""
SOFTWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9"}
"""The encoders that a codec's own name stands for."""
HIGHEST_CRF = {
    **dict.fromkeys(("libx264", "libx264rgb", "libx265"), 51),
    **dict.fromkeys(("libsvtav1", "libvpx-vp9", "libvpx", "libaom-av1"), 63),
}
LOWEST_CRF = {"libsvtav1": 1}
"""SVT-AV1 takes crf 0 for no crf, and encodes at its default of 35."""
# x264 prints its complaint about an unknown preset on stderr, bypassing FFmpeg's log.
X26X_PRESETS = "ultrafast superfast veryfast faster fast medium slow slower veryslow placebo".split()  # noqa: SIM905
PRESETS = {
    **dict.fromkeys(("libx264", "libx264rgb", "libx265"), X26X_PRESETS),
    "libsvtav1": [str(number) for number in range(-1, 14)],
}
# Encoders that reject 4:2:0 and 4:2:2 of odd sizes.
EVEN_ONLY = frozenset({"libx264", "libx265", "prores_ks", "prores", "prores_aw"}).union(*HARDWARE.values())
# Formats that hold the chroma planes of 4:2:0 interleaved, as graphics chips do.
INTERLEAVED = frozenset({"nv12", "p010le"})
# Encoders that require a time base of one frame.
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
        pixels: the planar format of the frames to encode.
        packed: FFmpeg's name of the packed format that the planes are reordered into, without loss; None for an
            encoder that takes planes.
        info: the video's properties with the tags and the time base of the output.
        options: the encoder's options.
    """

    codec: str
    pixels: PixelFormat
    packed: str | None
    info: VideoInfo
    options: dict[str, str]


def container_of(name: str) -> str:
    """The name of FFmpeg's muxer for a file's ending.

    Raises:
        OutputError: the file has no ending, or an unknown one.
    """
    ending = os.path.splitext(name)[1].lower()
    if ending in CONTAINERS:
        return CONTAINERS[ending]
    known = " ".join(CONTAINERS)
    reason = f"the ending {ending} is unknown" if ending else "it has no ending"
    raise OutputError(f"{name}: {reason}; use one of {known} .png, or a slash at the end for a folder of pictures")


def available_encoders(names: Iterable[str]) -> list[str]:
    """The encoders among `names` that this FFmpeg has."""
    return [name for name in names if name in av.codecs_available]


def check_encoder(target: str | os.PathLike, codec: str | None, options: dict[str, str] | None) -> None:
    """Checks an encoder and its options before work begins, as far as they do not depend on the video.

    Raises:
        OutputError: the target's ending is unknown, or this FFmpeg or this machine has no such encoder.
        OptionError: the encoder has no such option or preset, or its crf is out of range.
    """
    name = os.fspath(target)
    pictures = name.endswith(("/", os.sep)) or os.path.isdir(name)
    if name == "-" or pictures or os.path.splitext(name)[1].lower() in PICTURE_ENDINGS:
        return
    container = container_of(name)
    chosen = _find(codec or DEFAULT_CODECS.get(container, "libx264")).name
    if any(chosen in names for names in HARDWARE.values()) and not opens(chosen):
        raise OutputError(
            f"the encoder {chosen} does not run on this machine: it has no such graphics chip, or lacks its driver; "
            f"pass --codec {chosen.partition('_')[0]} to encode on the processor"
        )
    _options(chosen, PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2)), options or {})


def choose_encoding(
    container: str,
    info: VideoInfo,
    codec: str | None,
    options: dict[str, str] | None,
    *,
    noise: float | None = None,
    frugal: bool = False,
) -> Encoding:
    """The encoder, with the pixel format that loses least of the video.

    Args:
        container: FFmpeg's name of the muxer.
        info: the video's properties.
        codec: the encoder's name; None for the container's default.
        options: the encoder's options; they replace the defaults.
        noise: the sigma of the noise that was removed, in 8-bit units; the default quality is finer after weak noise.
            None for the coarsest default.
        frugal: the encoder takes little memory.

    Raises:
        OutputError: this FFmpeg has no such encoder, or the encoder takes no format of this size.
        OptionError: the encoder has no such option or preset.
    """
    if codec is None or container in ("gif", "yuv4mpegpipe"):
        deep_webm = container == "webm" and info.pixels.bits > 8
        codec = "libsvtav1" if deep_webm else DEFAULT_CODECS.get(container, "libx264")
    encoder = _find(codec)
    options = (FRUGAL_OPTIONS.get(encoder.name, {}) if frugal else {}) | (options or {})
    options = options_after_noise(encoder.name, noise, options) | options
    options = without_faults(encoder.name, options, info.width, info.height)
    pixels, packed = _choose_pixels(encoder, info, container)
    tags = info.tags
    if pixels.kind == "yuv" and info.pixels.kind != "yuv":
        tags = replace(tags, matrix=TAG_OF_MATRIX[pixels.matrix], range=RANGE_LIMITED)
    time_base = 1 / info.rate if encoder.name in FIXED_RATE or container == "yuv4mpegpipe" else info.time_base
    return Encoding(
        codec=encoder.name,
        pixels=pixels,
        packed=packed,
        info=replace(info, pixels=pixels, tags=tags, time_base=Fraction(time_base)),
        options=fidelity_options(encoder.name, replace(info, pixels=pixels), _options(encoder.name, pixels, options)),
    )


def _find(codec: str) -> av.Codec:
    try:
        encoder = av.Codec(SOFTWARE.get(codec, codec), "w")
        if encoder.type == "video":
            return encoder
    except ValueError:
        pass
    known = ", ".join(available_encoders(WELL_KNOWN.split()))
    raise OutputError(f"this FFmpeg has no video encoder {codec}; it has {known}")


def _choose_pixels(encoder: av.Codec, info: VideoInfo, container: str) -> tuple[PixelFormat, str | None]:
    """The planar format of least loss, and the packed format that stores it, if any.

    R'G'B' and gray become 4:2:0 for lossy encoders, because few players show anything else.
    """
    names = [fmt.name for fmt in encoder.video_formats or () if fmt.components]  # others are in a chip's memory
    names = Y4M_NAMES if container == "yuv4mpegpipe" else names
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
        if offer.name == name or offer.kind == "rgb" or name in INTERLEAVED:
            offers.append((_loss(wanted, offer), offer.name != name, offer, None if offer.name == name else name))
    if not offers:
        raise OutputError(
            f"the encoder {encoder.name} takes no video of {info.width}x{info.height}: pass another codec"
        )
    _, _, offer, packed = min(offers, key=lambda entry: entry[:2])
    return offer, packed


def _offer(name: str, wanted: PixelFormat) -> PixelFormat:
    """The planar form of an encoder's format, with the video's matrix and, where possible, its range."""
    offer = pixel_format(av.VideoFormat(name), height=0)
    full = offer.kind == "rgb" or (wanted.full_range and wanted.kind == offer.kind)
    full = full or (offer.kind == "gray" and wanted.kind != "yuv")
    return replace(offer, full_range=full, matrix=wanted.matrix)


def _loss(source: PixelFormat, offer: PixelFormat) -> tuple[int, ...]:
    """The losses of a conversion as a sorting key, the worst kind first. The same format gives zeros."""
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
    """The defaults, overridden by the given options."""
    context = av.CodecContext.create(codec, "w")
    if "crf" in given:
        own = CRF_OF_HARDWARE.get(codec.rpartition("_")[2], ("crf",))
        given = {**{name: given[name] for name in given if name != "crf"}, **dict.fromkeys(own, given["crf"])}
    known = context.supported_options
    names = {option.name for option in (*known.private, *known.generic)} | {"qscale"}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise OptionError(
                f"the encoder {codec} has no option {name}" + (f": did you mean {near[0]}?" if near else "")
            )
    options = dict(DEFAULT_OPTIONS.get(codec, {}))
    if codec == "ffv1" and max(pixels.subsampling) > 2:
        # FFmpeg's FFV1 loses a column of 4:1:1 chroma where slices meet at an odd column. Only level 1 has no slices.
        options = {"level": "1"}
    if RATE_CONTROLS & given.keys():
        options = {name: value for name, value in options.items() if name not in RATE_CONTROLS}
    options.update({name: str(value) for name, value in given.items()})
    lowest, highest = LOWEST_CRF.get(codec, 0), HIGHEST_CRF.get(codec, math.inf)
    if "crf" in options and not lowest <= float(options["crf"]) <= highest:
        raise OptionError(f"crf {options['crf']} is out of range for {codec}: pass one from {lowest} to {highest}")
    if codec in PRESETS and options["preset"] not in PRESETS[codec]:
        raise OptionError(f"{codec} has no preset {options['preset']}: use one of {' '.join(PRESETS[codec])}")
    silence_encoder(codec, options)
    return options


@contextlib.contextmanager
def keep_scheduling_priority() -> Iterator[None]:
    """Restores the thread's scheduling policy: run as root, SVT-AV1 leaves its caller with a real-time policy."""
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
    """Adds the options that keep x265 and SVT-AV1 from printing on stderr, bypassing FFmpeg's log."""
    if codec == "libx265":
        given = options.get("x265-params", "")
        options["x265-params"] = f"{given}:log-level=none".lstrip(":")
    elif codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "0")
