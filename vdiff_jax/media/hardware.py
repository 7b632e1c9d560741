"""Encoders on a graphics chip: which of them run on this machine."""

import av

HARDWARE = {
    codec: tuple(f"{codec}_{maker}" for maker in ("nvenc", "videotoolbox", "qsv", "amf"))
    for codec in ("h264", "hevc", "av1", "vp9")
}
"""NVIDIA's, Apple's, Intel's and AMD's encoders of each codec, by FFmpeg's names."""
_SIDE = 256
"""Pixels: larger than the smallest picture that these encoders take."""


def hardware_encoder(codec: str) -> str | None:
    """The first encoder of a codec (h264, hevc, av1 or vp9) on a graphics chip that opens; None if there is none."""
    return next((name for name in HARDWARE[codec] if opens(name)), None)


def opens(name: str) -> bool:
    """Whether an encoder runs on this machine."""
    if name not in av.codecs_available:
        return False
    before = av.logging.get_level()
    av.logging.set_level(None)
    try:
        context = av.CodecContext.create(name, "w")
        context.width, context.height, context.framerate = _SIDE, _SIDE, 25
        context.pix_fmt = (context.codec.video_formats or [av.VideoFormat("yuv420p")])[0].name
        context.open()
    except (av.FFmpegError, ValueError, OSError):
        return False
    finally:
        av.logging.set_level(before)
    return True
