"""The blocks and the network (blocks, network): gradients, and what they compute before training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.nn.blocks import EnlargeImage, relu
from vdiff_jax.nn.network import SIZES, Network
from vdiff_jax.preprocess.grids import shuffle, unshuffle


@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_relu_and_its_gradient_equal_those_of_jax(leak):
    x = jnp.asarray(np.random.default_rng(1).normal(size=(4, 5, 6)), jnp.float32)
    own, theirs = (lambda x: relu(x, leak)), (lambda x: jax.nn.leaky_relu(x, leak))
    found, expected = (jax.value_and_grad(lambda x, f=f: jnp.sum(jnp.sin(f(x))))(x) for f in (own, theirs))
    np.testing.assert_allclose(own(x), theirs(x))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)


def test_an_untrained_enlargement_is_bilinear_and_repeats_the_edges():
    ramp = jnp.broadcast_to(jnp.arange(6.0)[:, None, None], (6, 4, 3))
    large = shuffle(EnlargeImage(rngs=nnx.Rngs(0))(ramp))
    expected = np.clip((np.arange(12) - 0.5) / 2, 0, 5)
    np.testing.assert_allclose(large, np.broadcast_to(expected[:, None, None], (12, 8, 3)), atol=1e-5)


def test_full_conductivity_at_every_level_averages_over_the_coarsest_cells():
    network = Network(SIZES["tiny"], inputs=input_channels(SIZES["tiny"]), rngs=nnx.Rngs(0))
    for conv in network.conduct:
        conv.bias[...] = jnp.full(8, 30.0)
    noise = 0.1 * jax.random.normal(jax.random.key(0), (1, 64, 64, 3))
    empty = [jnp.zeros((1, 32 >> level, 32 >> level, width)) for level, width in enumerate(SIZES["tiny"].widths)]
    mean = shuffle(nnx.jit(Network.correct)(network, unshuffle(noise), empty, empty).mean)
    cells = noise.reshape(1, 16, 4, 16, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(mean.mean(), noise.mean(), atol=1e-3)
    assert float(mean.std()) < float(cells.std())
