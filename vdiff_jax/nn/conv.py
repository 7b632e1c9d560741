"""The convolution of the network, and its gradient written for compilers that are slow at it inside a loop."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _correlate(x: Float[Array, "n h w i"], kernel: Float[Array, "kh kw i o"]) -> Float[Array, "n h w o"]:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


@jax.custom_vjp
def conv_explicit(x: Float[Array, "n h w i"], kernel: Float[Array, "3 3 i o"]) -> Float[Array, "n h w o"]:
    """The 3×3 convolution with zero padding, whose gradient is spelled out as a convolution and three matmuls.

    XLA's own gradient of a convolution inside `lax.scan` is tens of times slower on a CPU than it need be.
    """
    return _correlate(x, kernel)


def _forward(x, kernel):
    # What is turned here rather than in the backward pass is turned once, not in every turn of a scan.
    return _correlate(x, kernel), (x, kernel[::-1, ::-1].swapaxes(2, 3))


def _backward(saved, g):
    x, flipped = saved
    return _correlate(g, flipped), _kernel_gradient(x, g)


def _kernel_gradient(x: Float[Array, "n h w i"], g: Float[Array, "n h w o"]) -> Float[Array, "3 3 i o"]:
    """One matmul for each row of taps: the best of nine forms measured."""
    _, height, width, i = x.shape
    columns = _columns(g)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = []
    for dy in range(3):
        taps = jnp.concatenate([padded[:, dy : dy + height, dx : dx + width] for dx in range(3)], axis=-1)
        row = columns @ taps.reshape(-1, 3 * i)
        rows.append(row.reshape(-1, 3, i).transpose(1, 2, 0))
    return jnp.stack(rows)


def _columns(g: Float[Array, "*n o"]) -> Float[Array, "o m"]:
    """The gradient with its places along the last axis, written out once: left to itself, XLA transposes the taps."""
    return lax.optimization_barrier(g.reshape(-1, g.shape[-1]).T)


conv_explicit.defvjp(_forward, _backward)


@jax.custom_vjp
def matmul_explicit(x: Float[Array, "*n i"], kernel: Float[Array, "i o"]) -> Float[Array, "*n o"]:
    """x @ kernel, whose gradient is spelled out as two matmuls that need one small transposition between them."""
    return x @ kernel


matmul_explicit.defvjp(
    lambda x, kernel: (x @ kernel, (x, kernel.T)),
    lambda saved, g: (g @ saved[1], (_columns(g) @ saved[0].reshape(-1, saved[0].shape[-1])).T),
)


def convolve(x: Float[Array, "*b h w i"], kernel: Float[Array, "kh kw i o"]) -> Float[Array, "*b h w o"]:
    """Convolves with zero padding; a 1×1 kernel is a matmul."""
    on_cpu = jax.default_backend() == "cpu"
    if kernel.shape[:2] == (1, 1):
        return (matmul_explicit if on_cpu else jnp.matmul)(x, kernel[0, 0])
    flat = x.reshape(-1, *x.shape[-3:])
    conv = conv_explicit if on_cpu else _correlate
    y = conv(flat, kernel)
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


class Conv(nnx.Module):
    """W x + b, W a `size` × `size` convolution with zero padding.

    Attributes:
      kernel: size size i o, drawn from He's normal distribution times `gain`.
      bias: o, zero at first.
    """

    def __init__(self, i: int, o: int, *, size: int = 3, gain: float = 1.0, rngs: nnx.Rngs):
        scale = gain * (2.0 / (size * size * i)) ** 0.5
        self.kernel = nnx.Param(scale * jax.random.normal(rngs.params(), (size, size, i, o)))
        self.bias = nnx.Param(jnp.zeros((o,)))

    def __call__(self, x: Float[Array, "*b h w i"]) -> Float[Array, "*b h w o"]:
        kernel, bias = self.kernel[...].astype(x.dtype), self.bias[...].astype(x.dtype)
        y = convolve(x, kernel)
        return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))
