"""Chroma diffuses up to luma's edges, and stays where it is trusted."""

import numpy as np

from vdiff_jax.diffusion.conduction import conduct


def two_halves(height=48, width=80):
    """Chroma, confidence and luma of two halves with different luma; in each, a 4×4 square has a trusted colour."""
    luma = np.full((height, width), 0.3, np.float32)
    luma[:, width // 2 :] = 0.8
    chroma, confidence = np.full((height, width, 2), 0.9, np.float32), np.zeros((height, width), np.float32)
    for x, value in ((4, 0.35), (width - 5, 0.6)):
        chroma[20:24, x : x + 4], confidence[20:24, x : x + 4] = value, 1.0
    return chroma, confidence, luma


def test_a_colour_fills_its_region_and_does_not_bleed_over_the_edge():
    chroma, confidence, luma = two_halves()
    result = np.asarray(conduct(chroma, confidence, luma))
    assert np.abs(result[:, :40] - 0.35).max() < 0.05
    assert np.abs(result[:, 40:] - 0.6).max() < 0.05
    flat = np.asarray(conduct(chroma, confidence, np.full_like(luma, 0.5)))
    assert np.abs(flat[:, 36:40] - 0.35).mean() > 0.08  # without the edge they mix


def test_without_trust_everything_is_grey():
    chroma, confidence, luma = two_halves()
    np.testing.assert_allclose(conduct(chroma, 0 * confidence, luma), 0.5, atol=1e-6)


def test_trusted_chroma_stays_and_doubtful_chroma_gives_way():
    chroma, confidence, luma = two_halves()
    result = np.asarray(conduct(chroma, confidence, luma))
    assert np.abs(result - chroma)[confidence == 1].max() < 0.01
    doubted = np.asarray(conduct(chroma, np.maximum(confidence, 0.03), luma))
    assert np.abs(doubted[2:4, 2:4] - 0.9).max() < np.abs(result[2:4, 2:4] - 0.9).min()


def test_odd_sizes_and_single_rows():
    for height, width in ((1, 7), (33, 5), (2, 2)):
        chroma = np.full((height, width, 2), 0.4, np.float32)
        result = conduct(chroma, np.ones((height, width), np.float32), np.zeros((height, width), np.float32))
        np.testing.assert_allclose(result, 0.4, atol=0.003)
