"""The convolution's own gradients equal automatic ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.nn.conv import _add, _correlate, add_explicit, conv_explicit


@pytest.mark.parametrize(("size", "i", "o"), [((2, 8, 8), 3, 5), ((1, 5, 7), 4, 2), ((3, 1, 1), 2, 2)])
def test_explicit_gradient_equals_autodiff(size, i, o):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (*size, i))
    kernel = jax.random.normal(keys[1], (3, 3, i, o))
    weight = jax.random.normal(keys[2], (*size, o))

    def gradients(conv):
        return jax.grad(lambda x, k: jnp.sum(jnp.sin(conv(x, k)) * weight), argnums=(0, 1))(x, kernel)

    for explicit, auto in zip(gradients(conv_explicit), gradients(_correlate)):
        np.testing.assert_allclose(explicit, auto, rtol=1e-4, atol=1e-4)


def test_explicit_gradient_equals_autodiff_inside_a_scan():
    keys = jax.random.split(jax.random.key(1), 2)
    x = jax.random.normal(keys[0], (4, 2, 6, 6, 3))
    kernel = 0.3 * jax.random.normal(keys[1], (3, 3, 3, 3))

    def loss(conv, kernel):
        def body(h, frame):
            h = jnp.tanh(conv(h + frame, kernel))
            return h, jnp.sum(h**2)

        return jax.lax.scan(body, jnp.zeros_like(x[0]), x)[1].sum()

    explicit = jax.grad(lambda k: loss(conv_explicit, k))(kernel)
    auto = jax.grad(lambda k: loss(_correlate, k))(kernel)
    np.testing.assert_allclose(explicit, auto, rtol=1e-3, atol=1e-4)


def test_bias_gradient_equals_autodiff():
    keys = jax.random.split(jax.random.key(2), 2)
    y, bias = jax.random.normal(keys[0], (2, 5, 7, 3)), jnp.array([0.1, -0.2, 0.3])

    def gradients(add):
        return jax.grad(lambda y, b: jnp.sum(jnp.sin(add(y, b))), argnums=(0, 1))(y, bias)

    for explicit, expected in zip(gradients(add_explicit), gradients(_add)):
        np.testing.assert_allclose(explicit, expected, rtol=1e-5, atol=1e-5)
