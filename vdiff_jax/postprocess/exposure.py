"""Exposure compensation: gains that make cameras agree in brightness and white balance where they overlap."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

_DARK, _BRIGHT = 12.0, 243.0  # code values beyond these are left out: noise and black level, or clipping
_KNEE = 0.7  # of white: highlights are never compressed below this
_GRAY = 2.0  # code values by which R, G and B differ, in the mean, in a picture without colours


def gains(
    pictures: Float[np.ndarray, "k n h w 3"], seen: Bool[np.ndarray, "n h w"], matched: list[tuple[int, int]]
) -> Float[np.ndarray, "n 3"]:
    """The gain of each camera's channels; the first camera's is 1.

    A camera without colours gets one gain for all channels, and gives its neighbours none that would change theirs.

    A gain of linear light stays one gain under a power-law transfer curve, so code values are multiplied.

    Args:
      pictures: k moments of n cameras, warped onto one canvas at reduced size, code values 0 to 255.
      seen: True where each camera covers the canvas.
      matched: the pairs of cameras that overlap.

    Source: Brown and Lowe, Automatic Panoramic Image Stitching using Invariant Features, 2007, section 6, with the
    median of log ratios in place of the mean, so that moving things do not count.
    """
    count = pictures.shape[1]
    gray = [is_gray(pictures[:, camera][:, seen[camera]]) for camera in range(count)]
    rows, values, weights = [], [], []
    for first, second in matched:
        ratio, weight = _ratio(pictures[:, first], pictures[:, second], seen[first] & seen[second])
        row = np.zeros(count)
        row[first], row[second] = 1.0, -1.0
        rows.append(row)
        values.append(np.full(3, -ratio.mean()) if gray[first] or gray[second] else -ratio)
        weights.append(weight)
    anchor = np.zeros(count)
    anchor[0] = 1.0
    system = np.stack([*rows, anchor])
    weight = np.sqrt(np.array([*weights, np.sum(weights) + 1.0]))[:, None]
    right = np.stack([*values, np.zeros(3)])
    logs = np.linalg.lstsq(weight * system, weight * right, rcond=None)[0]
    logs[gray] = logs[gray].mean(axis=1, keepdims=True)
    return np.exp(logs - logs[0])


def is_gray(samples: Shaped[np.ndarray, "*n 3"]) -> bool:
    """Whether a picture has no colours: R, G and B hardly differ."""
    return len(samples) > 0 and bool(np.ptp(samples, axis=-1).mean() < _GRAY)


def _ratio(
    first: Float[np.ndarray, "k h w 3"], second: Float[np.ndarray, "k h w 3"], both: Bool[np.ndarray, "h w"]
) -> tuple[Float[np.ndarray, " 3"], float]:
    """The median log ratio first / second per channel, and the number of samples that it is the median of."""
    one, other = first[:, both].reshape(-1, 3), second[:, both].reshape(-1, 3)
    good = (np.minimum(one, other) > _DARK) & (np.maximum(one, other) < _BRIGHT)
    result = np.zeros(3)
    for channel in range(3):
        use = good[:, channel]
        if use.sum() >= 8:
            result[channel] = np.median(np.log(one[use, channel] / other[use, channel]))
    return result, float(good.mean() * len(good)) + 1e-3


def table(
    gain: Float[np.ndarray, " 3"], frames: Sequence[UInt8[np.ndarray, "_h _w 3"]]
) -> UInt8[np.ndarray, "1 256 3"]:
    """A lookup table (for `cv2.LUT`) that applies a gain, with highlights compressed instead of clipped.

    Where a camera's brightest values times the gain exceed white, values above a knee are compressed so that the
    brightest one becomes white. The more there is to compress, the lower the knee. All other values are multiplied.

    Args:
      gain: of the camera's channels.
      frames: some of its frames, from which its brightest values are taken.
    """
    value = np.arange(256)[:, None] * gain
    brightest = np.percentile(np.stack([frame[::4, ::4] for frame in frames]), 99.8, axis=(0, 1, 2))
    top = np.maximum(brightest * gain, 255.0)
    knee = np.maximum(255.0 - 1.5 * (top - 255.0), 255.0 * _KNEE)
    slope = np.maximum((top - knee) / np.maximum(255.0 - knee, 1e-9), 1.0)
    beyond = np.clip((value - knee) / np.maximum(top - knee, 1e-9), 0.0, 1.0)
    compressed = knee + (255.0 - knee) * slope * beyond / (1 + (slope - 1) * beyond)
    return np.rint(np.where(value > knee, compressed, value).clip(0, 255)).astype(np.uint8)[None]
