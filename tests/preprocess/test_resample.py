"""Changes of size: Pillow's reduction, ramps, and chroma that keeps its siting. Also tests planes_of_clip."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from vdiff_jax.media import colour
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.planes import planes_of_clip
from vdiff_jax.preprocess.planes import normalised_samples
from vdiff_jax.preprocess.resample import reduce, resample

# Compiled as a whole: op by op the same takes four times as long.
compiled_resample = jax.jit(resample, static_argnames=("size", "scale", "shift"))
compiled_planes = jax.jit(planes_of_clip, static_argnames=("pixels", "size", "dtype"))


@pytest.mark.parametrize("factor", [2, 4])
def test_reduction_is_pillows_bicubic(factor):
    frame = np.random.default_rng(factor).integers(64, 192, (40, 56, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(frame).resize((56 // factor, 40 // factor), Image.Resampling.BICUBIC))
    ours = np.clip(
        np.round(np.asarray(jax.jit(reduce, static_argnums=1)(jnp.asarray(frame, jnp.float32), factor))), 0, 255
    )
    assert np.abs(ours - expected).max() <= 1  # Pillow rounds between its two passes
    assert (ours == expected).mean() > 0.8


def test_resampled_ramp_is_a_ramp_at_any_size():
    ramp = jnp.broadcast_to(jnp.arange(30, dtype=jnp.float32) / 30, (20, 30))
    larger = np.asarray(compiled_resample(ramp, (30, 42)))
    np.testing.assert_allclose(larger[15, 6:-6], ((np.arange(42) + 0.5) * 30 / 42 - 0.5)[6:-6] / 30, atol=1e-3)
    np.testing.assert_allclose(resample(ramp, (20, 30)), ramp)


@pytest.mark.parametrize("subsampling", [(2, 2), (4, 1)])
@pytest.mark.parametrize("full_range", [False, True])
def test_enlarged_chroma_stays_on_its_luma(subsampling, full_range):
    """A ramp of both luma and chroma, stored and enlarged by 2, is still the same ramp of both."""
    pixels = PixelFormat(kind="yuv", subsampling=subsampling, full_range=full_range)
    x = (np.arange(64) + 0.5) / 64
    ramp = np.broadcast_to(x, (24, 64)).astype(np.float32)
    stored = colour.downsample_chroma(ramp, subsampling, full_range)
    shift, (sx, sy) = (0.0 if full_range else (1 - subsampling[0]) / 2), subsampling
    clip = compiled_resample(jnp.asarray(stored), (48, 128), scale=(2.0 * sy, 2.0 * sx), shift=(0.0, 2 * shift))
    expected = np.broadcast_to((np.arange(128) + 0.5) / 128, (48, 128))
    np.testing.assert_allclose(clip[:, 16:-16], expected[:, 16:-16], atol=2e-3)
    back = compiled_planes(jnp.stack([clip] * 3, axis=-1), pixels, (48, 128), dtype=np.dtype(np.float32))
    again = colour.downsample_chroma(np.asarray(clip), subsampling, full_range)
    np.testing.assert_allclose(back[1][:, 6:-6], again[:, 6:-6], atol=2e-3)


def test_planes_of_ten_bits_of_an_odd_size():
    pixels = PixelFormat(kind="yuv", bits=10, subsampling=(2, 2))
    clip = jnp.full((1, 16, 16, 3), 0.75)
    planes = compiled_planes(clip, pixels, (21, 33), dtype=np.dtype(np.uint16))
    assert [plane.shape[1:] for plane in planes] == [(21, 33), (11, 17), (11, 17)]
    assert all(plane.dtype == np.uint16 for plane in planes)
    np.testing.assert_allclose(normalised_samples(planes[0], pixels, chroma=False), 0.75, atol=1e-3)
    np.testing.assert_allclose(normalised_samples(planes[1], pixels, chroma=True), 0.75, atol=1e-3)
