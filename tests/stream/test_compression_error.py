"""The error that coding left: expected from the quantisers, estimated from the frames."""

import numpy as np
import pytest

from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.stream.compression_error import ERROR, estimated_error, expected_error


@pytest.mark.parametrize("codec", ERROR)
def test_a_coarser_quantiser_means_a_larger_expected_error(codec):
    error = expected_error(codec, np.linspace(4, 50, 9))
    assert error.shape == (9, 3)
    assert (np.diff(error, axis=0) > 0).all()
    assert 0.2 < 255 * error[0, 0] < 255 * error[-1, 0] < 40


def test_mpeg_4_is_on_mpeg_2s_scale():
    np.testing.assert_array_equal(
        expected_error("mpeg4", np.array([8.0])), expected_error("mpeg2video", np.array([8.0]))
    )


def test_a_codec_without_readable_quantisers_is_an_error():
    with pytest.raises(KeyError):
        expected_error("av1", np.array([30.0]))


def texture(frames: int = 4) -> np.ndarray:
    """Moving detail of all sizes, as a scene has."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft2(rng.normal(size=(160, 160)))
    frequency = np.hypot(np.fft.fftfreq(160)[:, None], np.fft.rfftfreq(160)[None])
    scene = np.fft.irfft2(spectrum / (frequency + 0.01) ** 1.4)
    scene = np.clip(0.5 + 0.2 * scene / scene.std(), 0, 1).astype(np.float32)
    return np.stack([np.stack([scene[n : n + 128, 2 * n : 2 * n + 128]] * 3, axis=-1) for n in range(frames)])


def test_the_estimate_tells_fine_coding_from_coarse():
    clip = texture()
    made = [coded(np.random.default_rng(seed), clip) for seed in range(12)]
    left = [np.sqrt(np.mean((video.clip - rgb_to_stored(clip))[..., 0] ** 2)) for video in made]
    estimates = [estimated_error(video.clip[..., 0]) for video in made]
    assert np.corrcoef(np.log(left), np.log(estimates))[0, 1] > 0.7
    assert estimated_error(rgb_to_stored(clip)[..., 0]) < np.median(estimates)
