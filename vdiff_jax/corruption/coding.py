"""Coding artefacts: clips encoded and decoded again with H.264, HEVC, AV1, VP9 or MPEG-2, on the host."""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.media.recode import codecs, recode
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.resize import resized_planes

STORED = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
_TO_PLANES = np.column_stack([from_rgb("bt601") * np.array([[219], [224], [224]]), [16, 128, 128]]).astype(np.float32)
"""From R'G'B' in [0, 1] to 8-bit limited-range samples; the last column is the offset."""
_GRID = 16
"""Codecs' blocks lie on a grid of this many pixels, or of a fraction or a multiple of it."""
_SMALLEST = 66
"""Pixels a side. x265 makes memory errors where a side is no longer than its largest block, 64."""
_LEAD = 6
"""At most this many frames are coded before the clip, so that it starts anywhere in a group of pictures (GOP)."""


class Coded(NamedTuple):
    """A decoded clip.

    Attributes:
      clip: Y'CbCr in [0, 1], each chroma sample repeated over its 2×2 pixels.
      codec: the codec, on whose scale the quantisers are.
      quantisers: of each frame; NaN where the stream does not carry them.
    """

    clip: Float[np.ndarray, "t h w 3"]
    codec: str
    quantisers: Float[np.ndarray, " t"]


def coded(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"], *, scale: float = 1.0) -> Coded:
    """A clip coded by a random codec, with a random quality and a random place on the block grid and in the GOP.

    Args:
      rng: the source of randomness.
      clip: R'G'B' in [0, 1], of even height and width.
      scale: of the height and width; the clip is reduced to it before coding and enlarged again afterwards.
    """
    available = [codec for codec in _SHARES if codec in codecs()]
    shares = np.array([_SHARES[codec] for codec in available])
    codec = available[rng.choice(len(available), p=shares / shares.sum())]
    options = _SETTINGS[codec](rng)
    lead = int(rng.integers(0, min(_LEAD, len(clip) - 1) + 1))
    top, left = (2 * int(n) + _missing(side, scale) for n, side in zip(rng.integers(0, _GRID // 2, 2), clip.shape[1:3]))
    planes = [_shifted(planes_of_rgb(frame), top, left) for frame in (*clip[lead:0:-1], *clip)]
    whole = planes[0][0].shape
    height, width = (2 * round(side * scale / 2) for side in whole)
    frames = [Frame(resized_planes(p, STORED, (height, width)), number) for number, p in enumerate(planes)]
    shown = recode(frames, STORED, codec, options).frames[lead:]
    quantisers = np.array([frame.quantiser for frame in shown], np.float32)
    pictures = [clip_of(resized_planes(frame.planes, STORED, whole))[top:, left:] for frame in shown]
    return Coded(np.stack(pictures), codec, quantisers)


def planes_of_rgb(frame: Float[np.ndarray, "h w 3"]) -> tuple[UInt8[np.ndarray, "..."], ...]:
    """An R'G'B' frame in [0, 1] as 8-bit limited-range 4:2:0 planes in BT.601."""
    luma, *chroma = cv2.split(cv2.transform(frame, _TO_PLANES))
    small = [cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in chroma]
    return tuple(_round(plane) for plane in (luma, *small))


def clip_of(planes: tuple[UInt8[np.ndarray, "..."], ...]) -> Float[np.ndarray, "h w 3"]:
    """8-bit limited-range 4:2:0 planes as Y'CbCr in [0, 1], chroma repeated."""
    luma = (planes[0].astype(np.float32) - 16) / 219
    chroma = [(plane.astype(np.float32) - 128) / 224 + 0.5 for plane in planes[1:]]
    return np.stack([luma, *(plane.repeat(2, 0).repeat(2, 1) for plane in chroma)], axis=-1)


def rgb_to_stored(clip: Float[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t h w 3"]:
    """An R'G'B' clip in [0, 1] as Y'CbCr, as lossless coding would leave it; the ground truth for `coded`."""
    return np.stack([clip_of(planes_of_rgb(frame)) for frame in clip])


def _missing(side: int, scale: float) -> int:
    """Pixels to add to a side, in whole blocks, so that scaled it is at least the smallest picture's."""
    return _GRID * math.ceil(max(0, _SMALLEST / scale - side) / _GRID)


def _shifted(planes: tuple[np.ndarray, ...], top: int, left: int) -> tuple[np.ndarray, ...]:
    """The planes extended upwards and to the left by reflection."""
    steps = (1, 2, 2)
    return tuple(np.pad(p, ((top // n, 0), (left // n, 0)), mode="reflect") for p, n in zip(planes, steps))


def _round(plane: np.ndarray) -> UInt8[np.ndarray, "h w"]:
    return np.clip(plane + 0.5, 0, 255).astype(np.uint8)


def _h264(rng: np.random.Generator) -> dict[str, str]:
    """x264's settings. The crf starts lower than people use: at the same crf short clips are coded coarser.

    mbtree is off: x264 sums up its costs over memory that it never wrote, so results would not repeat.
    """
    params = f"no-mbtree=1:bframes={rng.integers(0, 4)}:keyint={rng.choice([8, 30, 250])}"
    if rng.random() < 0.1:
        params += ":no-deblock=1"
    preset = str(rng.choice(["superfast", "veryfast", "medium"]))
    return {"preset": preset, "crf": f"{rng.uniform(18, 44):.1f}", "x264-params": params}


def _hevc(rng: np.random.Generator) -> dict[str, str]:
    params = f"log-level=none:pools=none:frame-threads=1:rc-lookahead=6:wpp=0:keyint={rng.choice([8, 30, 250])}"
    preset = str(rng.choice(["ultrafast", "superfast", "fast"]))
    return {"preset": preset, "crf": f"{rng.uniform(18, 44):.1f}", "x265-params": params}


def _av1(rng: np.random.Generator) -> dict[str, str]:
    params = f"lp=1:keyint={rng.choice([8, 30, 250])}"
    return {"preset": str(rng.choice([6, 8, 10])), "crf": str(rng.integers(16, 62)), "svtav1-params": params}


def _vp9(rng: np.random.Generator) -> dict[str, str]:
    speed = {"deadline": "realtime", "cpu-used": "7", "lag-in-frames": "0"} if rng.random() < 0.5 else {"cpu-used": "5"}
    return {"crf": str(rng.integers(18, 64)), "b": "0", "g": str(rng.choice([8, 30, 128])), **speed}


def _mpeg2(rng: np.random.Generator) -> dict[str, str]:
    scale = str(round(2 ** rng.uniform(1, 4.95)))
    return {"qmin": scale, "qmax": scale, "bf": str(rng.integers(0, 3)), "g": str(rng.choice([6, 12, 15]))}


_SHARES = {"h264": 0.5, "hevc": 0.2, "av1": 0.1, "vp9": 0.1, "mpeg2video": 0.1}
_SETTINGS: dict[str, Callable[[np.random.Generator], dict[str, str]]] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vp9": _vp9,
    "mpeg2video": _mpeg2,
}
