"""The range coder: decoding inverts encoding, and the bytes come near the entropy."""

import numpy as np
import pytest

from vdiff_jax.compression.range_coder import decode, encode


@pytest.mark.parametrize("scale", [0.01, 0.3, 1, 30, 1e6])
@pytest.mark.parametrize("count", [0, 1, 7, 200])
def test_decoding_inverts_encoding(scale, count):
    values = np.random.default_rng(count).laplace(0, scale, count).round().astype(int).tolist()
    assert decode(encode(values), count) == values


def test_carries_run_over_many_bytes():
    # Long rows of improbable bits push the low end of the range over many bytes of 0xff.
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = np.where(rng.random(120) < 0.03, rng.integers(-(10**6), 10**6, 120), 0).tolist()
        assert decode(encode(values), len(values)) == values


def test_zeros_take_next_to_nothing():
    assert len(encode([0] * 20_000)) <= 1
    assert len(encode([0] * 5000 + [1] + [0] * 5000)) < 16


def test_the_size_is_near_the_entropy():
    values = np.random.default_rng(0).laplace(0, 0.4, 10_000).round().astype(int)
    shares = np.unique(values, return_counts=True)[1] / values.size
    bits = -(shares * np.log2(shares)).sum() * values.size
    assert len(encode(values.tolist())) < 1.25 * bits / 8
