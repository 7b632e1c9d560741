"""The network in bfloat16."""

import jax.numpy as jnp
import pytest
from flax import nnx

from vdiff_jax.diffusion.step import INPUTS
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.precision import NETWORKS


@pytest.fixture(scope="module")
def networks():
    """Both networks with the same parameters."""
    made = {name: kind(SIZES["tiny"], inputs=INPUTS, rngs=nnx.Rngs(0)) for name, kind in NETWORKS.items()}
    nnx.update(made["bfloat16"], nnx.state(made["float32"]))
    return made


def test_convolutions_run_in_bfloat16_and_what_is_kept_stays_float32(networks):
    x = jnp.linspace(-1, 1, 8 * 8 * INPUTS).reshape(1, 8, 8, INPUTS)
    empty = [jnp.zeros((1, 8 >> level, 8 >> level, width)) for level, width in enumerate(SIZES["tiny"].widths)]
    results = {}
    for name, network in networks.items():
        features = network.encode(x)
        assert {str(e.dtype) for e in features} == {name}
        hidden = network.recur(features, empty)
        correction = network.correct(x[..., :12], hidden, features)
        assert {str(leaf.dtype) for leaf in (*hidden, *correction)} == {"float32"}
        results[name] = correction.residual
    difference = jnp.abs(results["bfloat16"] - results["float32"]).max()
    assert 0 < difference < 0.03 * jnp.abs(results["float32"]).max()
