"""Planes as levels."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.planes import levels


@pytest.mark.parametrize("chroma", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_levels_of_numpy_are_numpy_and_the_same_as_jax_has(bits, chroma):
    pixels = PixelFormat(kind="yuv", bits=bits, subsampling=(2, 2))
    plane = np.arange(256, dtype=pixels.dtype).reshape(16, 16) * (pixels.peak // 255)
    host = levels(plane, pixels, chroma=chroma)
    assert isinstance(host, np.ndarray)
    assert host.dtype == np.float32
    np.testing.assert_allclose(host, levels(jnp.asarray(plane), pixels, chroma=chroma), rtol=0, atol=2e-7)
