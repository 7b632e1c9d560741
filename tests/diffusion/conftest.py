"""A small network, a small clip, and the compiled rollout that most tests share."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import Carry, input_channels, start
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.observation import Observation

CONFIG = NetworkConfig(widths=(4, 6), encoder=((), (6,)), decoder=((4,), (6,)), reach=(1, 3))


def _make_network(config: NetworkConfig) -> Network:
    """A network with random parameters, whose corrections are large enough for differences to show."""
    rng = np.random.default_rng(0)

    def drawn(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        return jnp.asarray(rng.normal(0, 0.7 / max(1, np.prod(leaf.shape[:-1])) ** 0.5, leaf.shape), jnp.float32)

    # Drawn by NumPy: to compile the network's own initialisation takes longer than most tests.
    definition, params = nnx.split(nnx.eval_shape(lambda: Network(config, inputs=input_channels(config))))
    return nnx.merge(definition, jax.tree.map(drawn, params))


@pytest.fixture(scope="package")
def make_network() -> Callable[[NetworkConfig], Network]:
    return _make_network


@pytest.fixture(scope="package")
def network() -> Network:
    return _make_network(CONFIG)


@pytest.fixture(scope="package")
def run(network) -> Callable:
    """The rollout, compiled once for each shape: observation, carry, following -> carry, clip."""
    return jax.jit(lambda observation, carry, following: rollout(network, observation, carry, following=following))


@pytest.fixture(scope="package")
def observation() -> Observation:
    """Six frames of 8×12 pixels, of which four in five are known; in NumPy, which compiles nothing to take parts."""
    rng, shape = np.random.default_rng(3), (6, 8, 12, 3)
    known = (rng.random((*shape[:-1], 1)) < 0.8).astype(np.float32)
    return Observation(
        values=rng.random(shape, np.float32),
        known=np.broadcast_to(known, shape),
        sigma=np.full(shape, 0.1, np.float32),
        time=np.arange(6, dtype=np.float32),
        velocity=2 * rng.standard_normal((6, 2, 3, 4), np.float32),
    )


@pytest.fixture(scope="package")
def begin(observation) -> Carry:
    """The carry before the clip's first frame."""
    return start(CONFIG, observation.values.shape[-3:-1])


@pytest.fixture(scope="package")
def unknown(observation) -> Observation:
    """A frame of which nothing is known."""
    return jax.tree.map(lambda leaf: np.zeros_like(leaf[:1]), observation)
