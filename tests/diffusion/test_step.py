"""The parts of a step: the projection onto what is known, and the frame ahead. Whole steps are in test_rollout."""

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.diffusion.step import _move_ahead, impose
from vdiff_jax.nn.network import NetworkConfig
from vdiff_jax.observation import Observation

CLIP = jnp.linspace(0, 1, 8 * 12 * 3).reshape(8, 12, 3)


def frame(values: jnp.ndarray, sigma: float) -> Observation:
    return Observation(
        values=values, known=jnp.ones_like(values), sigma=jnp.full_like(values, sigma), time=jnp.array(0.0)
    )


def test_impose_puts_exact_samples_back_and_leaves_noisy_ones():
    z = jnp.full_like(CLIP, 0.3)
    np.testing.assert_array_equal(impose(z, frame(CLIP, 0.1)), z)
    np.testing.assert_allclose(impose(z, frame(CLIP, 0.0)), CLIP, atol=1e-6)


def test_the_frame_ahead_is_interpolated_for_unknown_frames_or_if_the_network_is_trained_so():
    ramp = jnp.broadcast_to(jnp.arange(12.0)[None, :, None] / 12, (8, 12, 3))
    ahead, velocity = frame(ramp, 0.0), jnp.full((2, 3, 4), 0.4)
    move = jax.jit(_move_ahead, static_argnums=3)
    configs = (NetworkConfig(), NetworkConfig(), NetworkConfig(bilinear=True))
    moved = (move(ahead, velocity, jnp.array(known), config) for known, config in zip((0.0, 1.0, 1.0), configs))
    interpolated, nearest, bilinear = (np.asarray(neighbour.values) for neighbour in moved)
    np.testing.assert_allclose((interpolated - nearest)[:, :4], 0.4 / 12, atol=1e-5)
    np.testing.assert_array_equal(bilinear, interpolated)
