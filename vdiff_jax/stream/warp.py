"""Warps arrays along an optical flow."""

import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8


def warp_half_size(small: UInt8[np.ndarray, "h w"], field: Float[np.ndarray, "hv wv 2"]) -> UInt8[np.ndarray, "h w"]:
    """A small picture's samples from where a displacement in full-size pixels leads."""
    height, width = small.shape
    return remap(small, grid_points((height, width)) + cv2.resize(field, (width, height)) / 2)


@functools.lru_cache(maxsize=4)
def grid_points(size: tuple[int, ...]) -> Float[np.ndarray, "hv wv 2"]:
    """x and y of each point of a grid, in its own units; not to be written to."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    points = np.stack([x, y], axis=-1)
    points.flags.writeable = False
    return points


def remap(image: np.ndarray, at: Float[np.ndarray, "h w 2"]) -> np.ndarray:
    """The image at these places (x, y), between its pixels; beyond its edges what lies at them."""
    return cv2.remap(image, np.ascontiguousarray(at), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
