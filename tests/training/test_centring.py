"""Centred gradients: a step on W x + b is one on W (x - μ) + b'; the means are those of the convolutions' inputs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import encoder_input, prepare, start
from vdiff_jax.nn.conv import Conv
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.cache import Split
from vdiff_jax.training.centring import centred, input_means, no_means, uncentred
from vdiff_jax.training.data import Examples
from vdiff_jax.training.step import initial

PHOTOS = [np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)]


class Layer(nnx.Module):
    """One convolution, of size 1, so that no border differs."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv = Conv(3, 2, size=1, rngs=rngs)


def test_a_step_is_one_of_the_layer_whose_input_has_the_mean_zero():
    definition, params = nnx.split(Layer(nnx.Rngs(0)))
    x = jnp.asarray(np.random.default_rng(1).normal(2, 1, (4, 5, 3)), jnp.float32)
    means = {"conv": x.mean((0, 1))}

    def loss(params, x, means):
        """Of the layer W (x - μ) + b'."""
        conv = nnx.merge(definition, params).conv
        y = conv(x) - (means @ conv.kernel[...][0, 0])[None, None]
        return jnp.mean(jnp.sin(y)), y

    shifted = nnx.clone(params)
    shifted["conv"]["bias"][...] = means["conv"] @ params["conv"]["kernel"][...][0, 0]
    expected, before = jax.grad(loss, has_aux=True)(shifted, x, means["conv"])
    found, same = jax.grad(loss, has_aux=True)(params, x, jnp.zeros(3))
    np.testing.assert_allclose(same, before, atol=1e-5)
    found = centred(found, means)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    after = loss(jax.tree.map(jnp.subtract, shifted, expected), x, means["conv"])[1]
    stepped = jax.tree.map(jnp.subtract, params, uncentred(found, means))
    np.testing.assert_allclose(loss(stepped, x, jnp.zeros(3))[1], after, atol=1e-5)


def test_means_are_those_of_the_inputs(small):
    example = Examples(Split(PHOTOS, []), small.data, {"denoise": 1.0}, seed=0)(0)
    definition, state = initial(small.train)
    means = input_means(definition, state.params, [example])
    none = no_means(state.params)
    assert {name: mean.shape for name, mean in means.items()} == {name: mean.shape for name, mean in none.items()}
    network = nnx.merge(definition, state.params)
    first, second = (jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], example.observation) for n in range(2))
    begin = start(network.config, example.clip.shape[1:3])
    carry, _ = jax.jit(partial(rollout, network, project=project))(first, begin, following=second)

    @jax.jit
    def mean_input(carry, *frames):
        frame, ahead = jax.tree.map(lambda leaf: leaf[0], frames)
        return encoder_input(*prepare(carry, frame, ahead, network.config)).mean((0, 1))

    nothing = jax.tree.map(np.zeros_like, first)
    expected = (mean_input(begin, first, second) + mean_input(carry, second, nothing)) / 2
    np.testing.assert_allclose(means["stem"], expected, atol=1e-5)
    assert np.sum(np.isclose(means["stem"], 1)) >= network.config.cell**2  # "known" is 1 everywhere
    assert not np.any(none["stem"])
