"""A small network and a small clip."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import INPUTS
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.observation import Observation

CONFIG = NetworkConfig(widths=(4, 6), encoder=(0, 1), decoder=(1, 1), reach=(1, 3))


@pytest.fixture(scope="package")
def network():
    network = nnx.jit(lambda: Network(CONFIG, inputs=INPUTS, rngs=nnx.Rngs(0)))()
    # At first the network hardly corrects anything: make it speak up, so that differences show.
    network.out.kernel[...] = 20 * network.out.kernel[...]
    return network


@pytest.fixture(scope="package")
def run(network) -> Callable:
    """The rollout, compiled once for each shape: observation, carry, following -> carry, clip."""
    return jax.jit(lambda observation, carry, following: rollout(network, observation, carry, following=following))


@pytest.fixture(scope="package")
def observation():
    keys = jax.random.split(jax.random.key(3), 3)
    shape = (6, 8, 12, 3)
    known = jax.random.bernoulli(keys[1], 0.8, (*shape[:-1], 1)).astype(jnp.float32)
    return Observation(
        values=jax.random.uniform(keys[0], shape),
        known=jnp.broadcast_to(known, shape),
        sigma=jnp.full(shape, 0.1),
        time=jnp.arange(6, dtype=jnp.float32),
        velocity=2 * jax.random.normal(keys[2], (6, 2, 3, 4)),
    )
