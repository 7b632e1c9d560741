"""Quantised blocks: exact where the step is fine, flat where it is coarse, and each block by itself."""

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.corruption.blocking import quantised_blocks

CLIP = jnp.asarray(np.random.default_rng(0).random((1, 16, 16, 3), np.float32))
quantised = jax.jit(quantised_blocks)


def test_a_fine_step_changes_nothing():
    np.testing.assert_allclose(quantised(CLIP, 1e-5), CLIP, atol=1e-4)


def test_a_coarse_step_leaves_each_block_flat():
    blocks = np.asarray(quantised(0.5 + 0.1 * CLIP, 1.0)).reshape(2, 8, 2, 8, 3)
    np.testing.assert_allclose(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape), atol=1e-6)


def test_a_block_does_not_depend_on_its_neighbours():
    changed = CLIP.at[:, 8:].set(0)
    np.testing.assert_allclose(quantised(changed, 0.2)[:, :8], quantised(CLIP, 0.2)[:, :8], atol=1e-6)
