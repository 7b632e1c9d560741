"""What an output keeps of a video besides its pixels and tags, and the one warning that names what it loses."""

import logging
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from operator import gt

import av
from av.sidedata.sidedata import SideData

from vdiff_jax.media.hardware import HARDWARE
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.pixels import PixelFormat

logger = logging.getLogger(__name__)
FIELD_ENCODERS = frozenset({"libx264", "mpeg2video", "ffv1", "prores_ks", "rawvideo"})
"""Encoders that store the order of fields."""
ASPECT_ENCODERS = frozenset({"libx264", "libx264rgb", "libx265", "mpeg4", "mpeg2video"}).union(
    HARDWARE["h264"], HARDWARE["hevc"]
)
"""Encoders that store the sample aspect ratio in the video itself. PyAV can't store it in Matroska's header."""
HDR_OPTION = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
"""Encoders that store HDR10's static metadata, and the option that takes it."""
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""FFmpeg's numbers of the HDR transfer functions."""
BOTTOM_FIRST = frozenset({3, 5})
"""FFmpeg's numbers of the field orders that show the bottom field first.

FFmpeg calls 4 "top coded first, bottom displayed first", and 5 the reverse. But MP4 and MOV store them for frames with
both fields, where the field that is named first is shown first; FFmpeg's decoders and its program do the same.
"""
UNSUPPORTED_SIDE_DATA = {
    "A53_CC": "the closed captions; no output keeps them: extract them from the input first",
    "DYNAMIC_HDR_PLUS": "the HDR10+ metadata; no output keeps it",
    "DOVI_METADATA": "the Dolby Vision metadata; no output keeps it",
    "STEREO3D": "the stereo 3D flag; no output keeps it",
    "SPHERICAL": "the 360-degree projection flag; no output keeps it",
    "AFD": "the active format description; no output keeps it",
}
"""Side data of a frame that PyAV cannot write, and what to say of it."""
DEEP_OUTPUTS = ".mkv with --codec ffv1 and a folder of pictures keep them"
_RATIOS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (4, 1): "4:1:1", (2, 2): "4:2:0", (4, 4): "4:1:0", (1, 2): "4:4:0"}
ALPHA_OUTPUTS = (
    ".webm with --codec libvpx-vp9 (8 bits), a folder of pictures, .mkv with --codec ffv1 and .mov with --codec "
    "prores_ks keep it"
)


def hdr_metadata(frames: Sequence[av.VideoFrame]) -> tuple[tuple[Fraction, ...] | None, tuple[int, int] | None]:
    """HDR10's static metadata of the first of these frames that has it; None for what is absent.

    Returns:
        The mastering display: x and y of red, green, blue and white, then the least and the greatest luminance.
        The content light level: MaxCLL and MaxFALL. Luminances are in cd/m².
    """
    mastering, light = _first(frames, "MASTERING_DISPLAY_METADATA"), _first(frames, "CONTENT_LIGHT_LEVEL")
    display = None
    if mastering is not None:
        numbers = struct.unpack_from("<22i", bytes(mastering))
        if all(numbers[20:]) and all(numbers[1:20:2]):
            display = tuple(Fraction(a, b) for a, b in zip(numbers[:20:2], numbers[1:20:2], strict=True))
    level = None if light is None else struct.unpack_from("<2I", bytes(light))
    return display, level


def _first(frames: Iterable[av.VideoFrame], name: str) -> SideData | None:
    return next((side for frame in frames if (side := frame.side_data.get(name)) is not None), None)


def unsupported_side_data(frames: Sequence[av.VideoFrame]) -> tuple[str, ...]:
    """The names of these frames' side data that no output keeps."""
    return tuple(name for name in UNSUPPORTED_SIDE_DATA if _first(frames, name) is not None)


def holds_fields(encoder: str, info: VideoInfo) -> bool:
    """Whether an encoder stores the fields of this interlaced video. x264 needs whole macroblock rows of chroma."""
    rows = 2 * info.pixels.subsampling[1]
    return info.interlaced and encoder in FIELD_ENCODERS and (encoder != "libx264" or info.height % rows == 0)


def _placed(info: VideoInfo, pixels: PixelFormat) -> bool:
    """Whether a video is 4:2:0 whose chroma samples do not lie where players assume them, and is stored as 4:2:0."""
    return info.chroma_location not in ("", "left") and pixels.kind == "yuv" and pixels.subsampling == (2, 2)


def holds_chroma_location(container: str, encoder: str) -> bool:
    """Whether a file keeps the location of chroma samples. Matroska stores it, and H.264 and HEVC themselves."""
    return container in ("matroska", "webm") or encoder in ("libx264", "libx265")


def fidelity_options(encoder: str, info: VideoInfo, options: dict[str, str]) -> dict[str, str]:
    """The encoder's options, and those that store field order, chroma location and HDR10's static metadata."""
    options = dict(options)
    if holds_fields(encoder, info):
        bottom = info.field_order in BOTTOM_FIRST
        options["field_order"] = "bb" if bottom else "tt"
        if encoder == "libx264":
            options["x264-params"] = ":".join(
                [*filter(None, [options.get("x264-params")]), "bff=1" if bottom else "tff=1"]
            )
    if _placed(info, info.pixels):
        options["chroma_sample_location"] = info.chroma_location
    if encoder in HDR_OPTION and (texts := _hdr_parameters(encoder, info)):
        name = HDR_OPTION[encoder]
        options[name] = ":".join([*filter(None, [options.get(name)]), *texts])
    return options


def _hdr_parameters(encoder: str, info: VideoInfo) -> list[str]:
    """HDR10's static metadata in the syntax of an encoder: x264 and x265 count in units, SVT-AV1 in plain numbers."""
    texts = []
    if info.mastering_display is not None:
        *points, least, greatest = info.mastering_display
        if encoder == "libsvtav1":
            red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = (f"{float(v):.5f}" for v in points)
            low, high = f"{float(least):.5f}", f"{float(greatest):.5f}"
        else:
            red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y = (round(v * 50_000) for v in points)
            low, high = round(least * 10_000), round(greatest * 10_000)
        key = {"libx264": "mastering-display", "libx265": "master-display"}.get(encoder, "mastering-display")
        shape = f"G({green_x},{green_y})B({blue_x},{blue_y})R({red_x},{red_y})WP({white_x},{white_y})L({high},{low})"
        texts.append(f"{key}={shape}")
    if info.content_light is not None:
        key = {"libx264": "cll", "libx265": "max-cll"}.get(encoder, "content-light")
        texts.append(f"{key}={info.content_light[0]},{info.content_light[1]}")
    return texts


def losses(info: VideoInfo, container: str, encoder: str, pixels: PixelFormat) -> list[str]:
    """What an output loses of a video, each with the output that would keep it.

    Args:
        info: the video.
        container: FFmpeg's name of the muxer, or `pictures`.
        encoder: FFmpeg's name of the encoder, or `pictures`.
        pixels: the format that is stored.
    """
    lost = []
    if info.interlaced and not holds_fields(encoder, info):
        keeps = ".mkv, .mp4 and .mov with --codec libx264 (heights divisible by 4) and .mkv with --codec ffv1 keep it"
        lost.append(f"the field order of interlaced video; {keeps}, or pass --deinterlace to repair")
    if info.sample_aspect not in (None, 1) and container in ("matroska", "webm") and encoder not in ASPECT_ENCODERS:
        keeps = ".mov keeps it" if encoder.startswith("prores") else ".mp4 keeps it"
        lost.append(f"the sample aspect ratio {info.sample_aspect}; {keeps}")
    if info.pixels.alpha and not pixels.alpha:
        lost.append(f"the transparency (alpha channel); {ALPHA_OUTPUTS}")
    elif info.pixels.alpha and container == "gif" and info.codec != "gif":
        lost.append(f"the partial transparency, because a GIF's pixel is transparent or not; {ALPHA_OUTPUTS}")
    if info.pixels.bits > pixels.bits:
        lost.append(f"the precision of {info.pixels.bits} bits, of which {pixels.bits} are stored; {DEEP_OUTPUTS}")
    if info.pixels.kind == pixels.kind == "yuv" and any(map(gt, pixels.subsampling, info.pixels.subsampling)):
        stored, given = (_RATIOS.get(each.subsampling, str(each.subsampling)) for each in (pixels, info.pixels))
        lost.append(f"the colour resolution {given}, stored as {stored}; .mkv with --codec h264, hevc or ffv1 keeps it")
    if encoder not in HDR_OPTION:
        names = [("the mastering display", info.mastering_display), ("the content light level", info.content_light)]
        if present := [name for name, value in names if value is not None]:
            lost.append(f"{' and '.join(present)} of HDR10; .mkv and .mp4 with --codec libx265 keep them")
    if info.tags.transfer in HDR_TRANSFERS and container in ("pictures", "gif", "yuv4mpegpipe"):
        lost.append(f"the HDR colour tags ({HDR_TRANSFERS[info.tags.transfer]}); .mkv, .mp4, .mov and .webm keep them")
    if _placed(info, pixels) and not holds_chroma_location(container, encoder):
        lost.append(f"the chroma location ({info.chroma_location}); .mkv and .mp4 with --codec libx264 keep it")
    return lost + [UNSUPPORTED_SIDE_DATA[name] for name in info.unsupported_side_data]


def warn_of_losses(lost: Iterable[str], name: str) -> None:
    """Logs one warning that names all that the output `name` loses; none if it loses nothing."""
    if lost := list(lost):
        logger.warning("%s does not keep: %s", name, "; also ".join(lost))
