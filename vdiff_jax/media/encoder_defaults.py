"""The default options of encoders: quality, which depends on the noise that was removed, and speed."""

import math

import numpy as np

DEFAULT_OPTIONS = {
    "libx264": {"crf": "10", "preset": "veryfast"},
    "libx264rgb": {"crf": "10", "preset": "veryfast"},
    "libx265": {"crf": "14", "preset": "medium"},
    "libsvtav1": {"crf": "8", "preset": "8"},
    "libvpx-vp9": {"crf": "8", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "mpeg4": {"b": "20M"},
    "mpeg2video": {"b": "20M"},
    "ffv1": {"level": "3", "slicecrc": "1"},
    **{f"{codec}_nvenc": {"rc": "vbr", "cq": "19", "b": "0", "preset": "p5"} for codec in ("h264", "hevc", "av1")},
    **{f"{codec}_qsv": {"global_quality": "19"} for codec in ("h264", "hevc", "av1", "vp9")},
    **{f"{codec}_amf": {"rc": "cqp", "qp_i": "18", "qp_p": "18"} for codec in ("h264", "hevc", "av1")},
    # VideoToolbox's quality 65 of 100, in FFmpeg's units of 118.
    **{f"{codec}_videotoolbox": {"flags": "+qscale", "global_quality": "7670"} for codec in ("h264", "hevc")},
}
WEAK_NOISE = (5.0, 10.0, 20.0)
"""Sigmas, in 8-bit units, for which `CRF_AFTER_NOISE` has a crf."""
CRF_AFTER_NOISE = {
    "libx264": (1.0, 7.5, 10.0),
    "libx264rgb": (1.0, 7.5, 10.0),
    "libx265": (1.0, 7.5, 14.0),
    "libsvtav1": (1.0, 3.0, 8.0),
    "libvpx-vp9": (1.0, 4.0, 8.0),
}
"""The default crf after noise was removed. The weaker the noise, the less may be lost, because the restored frames are
closer to the truth: encoding costs about 0.2 dB at most (scripts/measure_encoders.py)."""
UNIFORM_OPTIONS = {
    **{codec: {"aq-mode": "0", "qcomp": "0.7"} for codec in ("libx264", "libx264rgb")},
    "libsvtav1": {"svtav1-params": "aq-mode=0:hierarchical-levels=2:enable-tf=0:enable-dlf=0"},
}
"""More options after weak noise. The error is more uniform with them, and less is lost at the same size."""
FRUGAL_OPTIONS = {
    "libx264": {"x264-params": "rc-lookahead=0:sync-lookahead=0:bframes=0:threads=1"},
    "libx265": {"x265-params": "rc-lookahead=0:bframes=0:frame-threads=1:pools=none"},
    "libsvtav1": {"svtav1-params": "lookahead=0:lp=1:pred-struct=1"},
    "libvpx-vp9": {"lag-in-frames": "0"},
}
"""Options that save memory where little is free: the encoder looks at fewer frames at a time, and files grow."""
RATE_CONTROLS = frozenset({"b", "crf", "cq", "qp", "qp_i", "qp_p", "global_quality", "qscale"})


def options_after_noise(codec: str, noise: float | None, given: dict[str, str]) -> dict[str, str]:
    """The default options of an encoder that depend on the noise that was removed; none where the quality is given.

    Args:
        codec: FFmpeg's name of the encoder.
        noise: the sigma of the noise, in 8-bit units; None for the coarsest default.
        given: the options that replace the defaults.
    """
    if noise is None or noise >= WEAK_NOISE[-1] or codec not in CRF_AFTER_NOISE or RATE_CONTROLS & given.keys():
        return {}
    crf = float(np.interp(math.log2(max(noise, 1e-3)), np.log2(WEAK_NOISE), CRF_AFTER_NOISE[codec]))
    whole = codec in ("libsvtav1", "libvpx-vp9")
    return {"crf": f"{crf:.0f}" if whole else f"{crf:.1f}", **UNIFORM_OPTIONS.get(codec, {})}
