"""The network in bfloat16; test_step compares the loss of both networks."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.precision import NETWORKS


@pytest.mark.parametrize(("name", "kind"), NETWORKS.items(), ids=NETWORKS)
def test_convolutions_run_in_bfloat16_and_what_is_kept_stays_float32(name, kind):
    config = SIZES["tiny"]

    def run():
        network = kind(config, inputs=input_channels(config), rngs=nnx.Rngs(0))
        x = jnp.zeros((1, 8, 8, input_channels(config)))
        features = network.encode(x)
        empty = [jnp.zeros((1, 8 >> level, 8 >> level, width)) for level, width in enumerate(config.widths)]
        hidden = network.recur(features, empty)
        return nnx.state(network), features, (*hidden, *network.correct(x[..., :12], hidden, features))

    params, features, kept = jax.eval_shape(run)  # dtypes alone: nothing is compiled
    assert {str(leaf.dtype) for leaf in features} == {name}
    assert {str(leaf.dtype) for leaf in kept} == {"float32"}
    assert "bfloat16" not in {str(leaf.dtype) for leaf in jax.tree.leaves(params)}
