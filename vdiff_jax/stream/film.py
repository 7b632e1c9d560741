"""What old film suffers from: dust, dirt, drop-outs and scratches are found, flicker is evened."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.flow import FlowFrame, MotionMeter
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import change, thumbnail

SPIKE = 0.07
"""What stands out by this much, in levels, from all around it in the frames before and after, is damage."""
TEXTURE = 0.3
"""And by this share of how much its surroundings differ there among each other: fine detail sparkles as it moves."""
SPECK = 3
"""Fewer pixels than these are fine detail too."""
CROWDED = 0.15
"""A larger share of spikes around a place is motion that was not followed."""
APART = 0.04
"""Where the two neighbours themselves differ by more, in levels, motion was not followed either."""
HIGH = 0.2
"""Unless that is less than this share of how far a spike stands out."""
_AROUND = 49
_LOCAL = (9, 9)
_WIDE = np.ones((9, 9), np.uint8)
_GROWN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_NEAR = np.ones((3, 3), np.uint8)
_LINE = 0.03
_CUT = 0.15
_MEMORY = 0.15
_MOST = 0.15


def damage(
    before: Float[np.ndarray, "h w"] | None, here: Float[np.ndarray, "h w"], after: Float[np.ndarray, "h w"] | None
) -> Bool[np.ndarray, "h w"]:
    """Where a frame's luma holds something that its neighbours along the motion don't, and scratches; a little wider.

    Pixels are damaged that are lighter, or darker, than the 3×3 around where they lie in both neighbours by `SPIKE` and
    more, where those are of many shades: the rank-order difference detector (Nadenau and Mitra 1997) on the SDIa's
    condition (Kokaram 1998). A lone frame, or one at either end of a shot, has scratches alone. Luma in [0, 1].
    """
    found = scratches(here)
    if before is not None and after is not None:
        around = [_moved(here, other) for other in (before, after)]
        lightest = np.max([cv2.dilate(frame, _NEAR) for frame in around], axis=0)
        darkest = np.min([cv2.erode(frame, _NEAR) for frame in around], axis=0)
        beyond = SPIKE + TEXTURE * cv2.blur(lightest - darkest, _LOCAL)
        height = np.maximum(here - lightest, darkest - here)
        spikes = height > beyond
        crowd = cv2.boxFilter(spikes.astype(np.float32), -1, (_AROUND, _AROUND))
        apart = np.abs(cv2.blur(around[0], (5, 5)) - cv2.blur(around[1], (5, 5)))
        followed = cv2.dilate(apart, _WIDE) < np.maximum(APART, HIGH * height)
        found |= _without_specks(spikes & (crowd < CROWDED) & followed)
    return cv2.dilate(found.astype(np.uint8), _GROWN).astype(bool)


def _without_specks(found: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    _, numbers, about, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    large = about[:, cv2.CC_STAT_AREA] >= SPECK
    large[0] = False
    return large[numbers]


def scratches(luma: Float[np.ndarray, "h w"], *, rows: float = 0.8) -> Bool[np.ndarray, "h w"]:
    """Thin vertical lines through the whole picture, lighter or darker than what is on both sides in most rows."""
    smooth = cv2.blur(luma, (1, 5))
    beside = (cv2.warpAffine(smooth, _SHIFT[0], luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE),
              cv2.warpAffine(smooth, _SHIFT[1], luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE))  # fmt: skip
    lighter = smooth - np.maximum(*beside)
    darker = np.minimum(*beside) - smooth
    step = np.abs((beside[0] - beside[1]).mean(axis=0))  # an edge: of the picture in a wider frame, of a wall
    columns = [
        (side.mean(axis=0) > np.maximum(_LINE, step)) & ((side > 0).mean(axis=0) > rows) for side in (lighter, darker)
    ]
    return np.broadcast_to((columns[0] | columns[1])[None], luma.shape).copy()


_SHIFT = [np.array([[1, 0, shift], [0, 1, 0]], np.float32) for shift in (-3, 3)]


def _moved(here: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The other frame as it would look here."""
    height, width = here.shape
    padded = [
        cv2.copyMakeBorder(f, 0, -height % VELOCITY_GRID, 0, -width % VELOCITY_GRID, cv2.BORDER_REPLICATE)
        for f in (here, other)
    ]
    flow = MotionMeter().displacement(*(FlowFrame.from_luma(frame, time=n) for n, frame in enumerate(padded)))
    flow = cv2.resize(flow, padded[0].shape[::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(other, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def even(frames: Iterable[Frame], pixels: PixelFormat) -> Iterator[Frame]:
    """The frames with their brightness led by a slow mean of it: flicker goes, a fade stays. A cut begins anew."""
    before, level = None, 0.0
    for frame in frames:
        luma = luma_of(frame, pixels)
        small, mean = thumbnail(luma), float(luma.mean())
        if before is None or change(before, small) > _CUT:
            level = mean
        before = small
        level += _MEMORY * (mean - level)
        gain = float(np.clip(level / max(mean, 1e-3), 1 - _MOST, 1 + _MOST))
        yield dataclasses.replace(frame, planes=_scaled(frame.planes, gain, pixels))


def find(frames: Iterable[Frame], pixels: PixelFormat) -> Iterator[tuple[Frame, Bool[np.ndarray, "h w"]]]:
    """Each frame and where it is damaged; one frame behind."""
    line: list[tuple[Frame, np.ndarray, np.ndarray] | None] = [None]
    for frame in frames:
        luma = luma_of(frame, pixels)
        line.append((frame, luma, thumbnail(luma)))
        if len(line) == 3:
            yield _judged(*line)
            line = line[1:]
    if line[-1] is not None:
        yield _judged(line[0], line[-1], None) if len(line) == 2 else _judged(None, line[-1], None)


def _judged(before, here, after):
    neighbours = [
        other[1] if other is not None and change(here[2], other[2]) < _CUT else None for other in (before, after)
    ]
    return here[0], damage(neighbours[0], here[1], neighbours[1])


def frames_and_damage(frames: Iterable[Frame], pixels: PixelFormat) -> tuple[Iterator[Frame], Iterator[np.ndarray]]:
    """The frames, evened, and their masks, to be taken in step."""
    one, other = itertools.tee(find(even(frames, pixels), pixels))
    return (frame for frame, _ in one), (mask for _, mask in other)


def _scaled(planes: tuple[np.ndarray, ...], gain: float, pixels: PixelFormat) -> tuple[np.ndarray, ...]:
    """Luma, or R'G'B', times `gain` from black on."""
    black = 0.0 if pixels.full_range else 16.0 * (1 << (pixels.bits - 8))
    count = 3 if pixels.kind == "rgb" else 1

    def scaled(plane: np.ndarray) -> np.ndarray:
        if np.issubdtype(plane.dtype, np.floating):
            return plane * np.float32(gain)
        return np.clip(np.rint((plane - black) * gain + black), 0, pixels.peak).astype(plane.dtype)

    return (*(scaled(plane) for plane in planes[:count]), *planes[count:])
