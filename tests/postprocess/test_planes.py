"""Changes added to planes: none leaves every sample, others arrive in the clip. planes_of_clip: test_resample.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.planes import changed_planes
from vdiff_jax.preprocess.planes import clip_of_planes

compiled = jax.jit(changed_planes, static_argnames="pixels")

FORMATS = [
    PixelFormat(kind="yuv", subsampling=(2, 2), alpha=True),
    PixelFormat(kind="yuv", bits=10, subsampling=(2, 1), full_range=True),
    PixelFormat(kind="rgb", full_range=True),
    PixelFormat(kind="gray"),
]


def planes(pixels):
    rng = np.random.default_rng(0)
    shapes = pixels.plane_shapes(15, 9)
    peak = pixels.peak
    return tuple(jnp.asarray(rng.integers(peak // 4, 3 * peak // 4, s).astype(pixels.dtype)) for s in shapes)


@pytest.mark.parametrize("pixels", FORMATS, ids=lambda pixels: pixels.name)
def test_a_change_of_zero_leaves_every_sample(pixels):
    given = planes(pixels)
    for before, after in zip(given, compiled(given, jnp.zeros((9, 15, 3)), pixels), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("pixels", FORMATS, ids=lambda pixels: pixels.name)
def test_a_change_arrives_in_the_clip(pixels):
    given = planes(pixels)
    change = np.array([0.1, 0, 0] if pixels.kind == "gray" else [0.1, -0.05, 0.05], np.float32)
    made = compiled(given, jnp.broadcast_to(change, (9, 15, 3)), pixels)
    before, after = (
        np.asarray(jax.jit(clip_of_planes, static_argnums=(1, 2))(each, pixels, 1)) for each in (given, made)
    )
    np.testing.assert_allclose(after - before, np.broadcast_to(change, before.shape), atol=1.5 / 219)
    if pixels.alpha:
        np.testing.assert_array_equal(made[-1], given[-1])
