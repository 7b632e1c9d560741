"""The blocks' own gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.nn.blocks import relu


def _same_gradients(explicit, plain, arrays):
    def gradients(function):
        return jax.grad(lambda *a: jnp.sum(jnp.sin(function(*a))), argnums=tuple(range(len(arrays))))(*arrays)

    np.testing.assert_allclose(explicit(*arrays), plain(*arrays), rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients(explicit), gradients(plain)):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_relu_gradient_equals_autodiff():
    _same_gradients(relu, jax.nn.relu, (jax.random.normal(jax.random.key(1), (4, 5, 6)),))
