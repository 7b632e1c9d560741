"""Checks of clips that are arrays."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.errors import ClipError
from vdiff_jax.media.arrays import check_clip


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, jnp.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
def test_clips_of_bytes_and_of_floats_pass(dtype, channels):
    assert check_clip(np.ones((2, 4, 5, channels), dtype)) is None  # and raises nothing


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.zeros((4, 5, 3), np.uint8), r"shape t h w c .* has the shape \(4, 5, 3\)"),
        (np.zeros((2, 4, 5, 2), np.uint8), "1 or 3 channels"),
        (np.zeros((0, 4, 5, 3), np.uint8), "1 or 3 channels"),
        (np.zeros((2, 4, 5, 3), np.int32), "this array is int32"),
        (np.full((2, 4, 5, 3), np.inf, np.float32), "NaN or infinite"),
        (np.full((2, 4, 5, 3), 255, np.float32), "reach 255: a float clip lies in"),
    ],
)
def test_other_arrays_are_errors(clip, message):
    with pytest.raises(ClipError, match=message):
        check_clip(clip)
