"""The convolution layer, with gradients written by hand because XLA's own are slow on a CPU inside `lax.scan`."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

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
    """The 3×3 convolution with zero padding; its gradient is a convolution and a matmul.

    XLA's own gradient of a convolution inside `lax.scan` is tens of times slower on a CPU.
    """
    return _correlate(x, kernel)


def _forward(x, kernel):
    # The kernel is flipped here, once. In the backward pass it would be flipped in every iteration of a scan.
    return _correlate(x, kernel), (x, kernel[::-1, ::-1].swapaxes(2, 3))


def _backward(saved, g):
    x, flipped = saved
    return _correlate(g, flipped), _kernel_gradient(x, lax.optimization_barrier(g))


def _kernel_gradient(x: Float[Array, "n h w i"], g: Float[Array, "n h w o"]) -> Float[Array, "3 3 i o"]:
    """One matmul of x shifted by rows with g shifted by columns, the fastest of thirteen forms measured."""
    *places, i = x.shape
    rows = jnp.stack(_shifts(_columns(x).reshape(i, *places), 2))
    columns = jnp.concatenate(_shifts(g, 2)[::-1], axis=-1)
    taps = rows.reshape(3 * i, -1) @ columns.reshape(-1, columns.shape[-1])
    return taps.reshape(3, i, 3, -1).transpose(0, 2, 1, 3)


def _shifts(image: Array, axis: int) -> list[Array]:
    """The image shifted by +1, 0 and -1 pixels along an axis, padded with zeros."""
    padding = [(int(n == axis),) * 2 for n in range(image.ndim)]
    padded = jnp.pad(image, padding)
    return [lax.slice_in_dim(padded, start, start + image.shape[axis], axis=axis) for start in range(3)]


def _columns(x: Float[Array, "*n i"]) -> Float[Array, "i m"]:
    """x as channels × pixels. The barrier makes XLA transpose it once, before the matmul rather than inside it."""
    return lax.optimization_barrier(x.reshape(-1, x.shape[-1]).T)


conv_explicit.defvjp(_forward, _backward)


@jax.custom_vjp
def matmul_explicit(x: Float[Array, "*n i"], kernel: Float[Array, "i o"]) -> Float[Array, "*n o"]:
    """x @ kernel; its gradient is two matmuls."""
    return x @ kernel


def _matmul_backward(saved, g):
    x, transposed = saved
    g = lax.optimization_barrier(g)
    return g @ transposed, _columns(x) @ g.reshape(-1, g.shape[-1])


matmul_explicit.defvjp(lambda x, kernel: (x @ kernel, (x, kernel.T)), _matmul_backward)


def _add(y: Float[Array, "*n o"], bias: Float[Array, " o"]) -> Float[Array, "*n o"]:
    return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))


@jax.custom_vjp
def add_explicit(y: Float[Array, "*n o"], bias: Float[Array, " o"]) -> Float[Array, "*n o"]:
    """y + bias; a matmul sums its gradient over the pixels, four times as fast as XLA's own sum."""
    return _add(y, bias)


def _add_backward(_, g):
    flat = g.reshape(-1, g.shape[-1])
    return g, jnp.ones(flat.shape[0], g.dtype) @ flat


add_explicit.defvjp(lambda y, bias: (_add(y, bias), None), _add_backward)


def convolve(x: Float[Array, "*b h w i"], kernel: Float[Array, "kh kw i o"]) -> Float[Array, "*b h w o"]:
    """The convolution of x with zero padding; for a 1×1 kernel, a matmul."""
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
      kernel: size size i o; initially He's normal distribution times `gain`, or zeros if there are no `rngs`.
      bias: o; initially zero.
    """

    def __init__(self, i: int, o: int, *, size: int = 3, gain: float = 1.0, rngs: nnx.Rngs | None):
        shape, scale = (size, size, i, o), gain * (2.0 / (size * size * i)) ** 0.5
        self.kernel = nnx.Param(jnp.zeros(shape) if rngs is None else scale * jax.random.normal(rngs.params(), shape))
        self.bias = nnx.Param(jnp.zeros((o,)))

    def __call__(self, x: Float[Array, "*b h w i"]) -> Float[Array, "*b h w o"]:
        if (watch := _WATCH.get()) is not None:
            watch(self, x)
        kernel, bias = self.kernel[...].astype(x.dtype), self.bias[...].astype(x.dtype)
        add = add_explicit if jax.default_backend() == "cpu" else _add
        return add(convolve(x, kernel), bias)


_WATCH: ContextVar[Callable[[Conv, Array], None] | None] = ContextVar("watch", default=None)


@contextlib.contextmanager
def watching(function: Callable[[Conv, Array], None]) -> Iterator[None]:
    """Within this context, each convolution calls the function with itself and its input before it runs."""
    token = _WATCH.set(function)
    try:
        yield
    finally:
        _WATCH.reset(token)
