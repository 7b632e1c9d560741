"""Changes of grid against NumPy; also the DCT matrix of dct.py against SciPy."""

import jax.numpy as jnp
import numpy as np
import scipy.fft

from vdiff_jax.preprocess.dct import dct_matrix
from vdiff_jax.preprocess.grids import average, block_mean, pairs_to_channels, repeat, shuffle, unshuffle

IMAGE = np.random.default_rng(0).random((4, 6, 3), np.float32)


def test_unshuffle_puts_each_blocks_pixels_into_channels():
    blocks = unshuffle(jnp.asarray(IMAGE))
    np.testing.assert_array_equal(blocks[1, 2], IMAGE[2:4, 4:6].ravel())
    np.testing.assert_array_equal(shuffle(blocks), IMAGE)


def test_average_and_the_matrix_are_the_blocks_mean():
    expected = IMAGE.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(average(jnp.asarray(IMAGE)), expected, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(unshuffle(jnp.asarray(IMAGE))) @ block_mean(12), expected, rtol=1e-6)


def test_repeat_is_undone_by_average():
    np.testing.assert_allclose(average(repeat(jnp.asarray(IMAGE))), IMAGE, rtol=1e-6)


def test_a_pair_goes_to_luma_and_to_both_chroma_channels():
    pairs = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(
        (pairs @ pairs_to_channels(8)).reshape(4, 3), [[0, 1, 1], [2, 3, 3], [4, 5, 5], [6, 7, 7]]
    )


def test_the_dct_is_scipys():
    block = np.random.default_rng(1).random((8, 8))
    matrix = dct_matrix(8)
    np.testing.assert_allclose(matrix @ block @ matrix.T, scipy.fft.dctn(block, norm="ortho"), atol=1e-6)
