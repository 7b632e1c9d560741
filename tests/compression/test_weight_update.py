"""Updates of the network's parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.compression.weight_update import apply, changed, pack, rounded, size_of
from vdiff_jax.errors import AttachmentError
from vdiff_jax.weights import load


@pytest.fixture(scope="module")
def params():
    return load("fast").params


def update_of(params) -> np.ndarray:
    return np.random.default_rng(0).laplace(0, 1, size_of(params)).astype(np.float32)


def leaves(params) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(params)]


@pytest.mark.parametrize("fineness", [1, 3])
def test_a_packed_update_changes_parameters_as_the_rounded_one(params, fineness):
    steps = rounded(update_of(params), fineness)
    packed = apply(params, pack(steps, fineness))
    direct = changed(params, jnp.asarray(steps * 2.0**-fineness, jnp.float32))
    for a, b, before in zip(leaves(packed), leaves(direct), leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, before)


def test_no_change_takes_no_bytes(params):
    assert pack(rounded(np.full(size_of(params), 0.3, np.float32), 1), 1) == b""
    assert apply(params, b"") is params


def test_rounding_has_a_dead_zone_around_0():
    assert rounded(np.array([0.32, 0.34, -0.32, -0.9, 1.4]), 1).tolist() == [0, 1, 0, -2, 3]


def test_an_impossible_step_is_reported(params):
    with pytest.raises(AttachmentError, match=r"2\^-31"):
        apply(params, bytes([31, 1]))
