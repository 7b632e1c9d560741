"""The parts of the network: residual block, changes of pyramid level, image enlargement, gated tanh recurrence."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax.nn.conv import Conv
from vdiff_jax.preprocess.grids import shuffle, unshuffle


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def relu(x: Float[Array, "*n"], leak: float = 0.0) -> Float[Array, "*n"]:
    """The rectifier max(x, leak x), leak from 0 to 1.

    Its gradient needs the result only, which the next layer keeps in memory anyway.
    """
    return jnp.maximum(x, leak * x if leak else 0)


def _forward(x, leak):
    y = relu(x, leak)
    return y, y


relu.defvjp(_forward, lambda leak, y, g: (jnp.where(y > 0, g, leak * g if leak else 0),))


class Residual(nnx.Module):
    """x + W₂ σ(W₁ x + b₁) + b₂, σ the rectifier; close to the identity before training."""

    def __init__(self, width: int, inner: int, *, rngs: nnx.Rngs | None):
        self.first = Conv(width, inner, rngs=rngs)
        self.second = Conv(inner, width, gain=0.1, rngs=rngs)

    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return x + self.second(relu(self.first(x)))


class Down(nnx.Module):
    """Features on the next coarser level of the pyramid: unshuffle, then a 1×1 convolution."""

    def __init__(self, i: int, o: int, *, rngs: nnx.Rngs | None):
        self.mix = Conv(4 * i, o, size=1, gain=0.7, rngs=rngs)

    def __call__(self, x: Float[Array, "*b h w i"]) -> Float[Array, "*b h2 w2 o"]:
        return self.mix(unshuffle(x))


class Up(nnx.Module):
    """Features on the next finer level of the pyramid: a 1×1 convolution, then shuffle."""

    def __init__(self, i: int, o: int, *, rngs: nnx.Rngs | None):
        self.mix = Conv(i, 4 * o, size=1, gain=0.7, rngs=rngs)

    def __call__(self, x: Float[Array, "*b h w i"]) -> Float[Array, "*b h2 w2 o"]:
        return shuffle(self.mix(x))


class EnlargeImage(nnx.Module):
    """An enlarged image, unshuffled (its blocks of pixels as channels); bilinear interpolation before training."""

    def __init__(self, factor: int = 2, *, rngs: nnx.Rngs | None):
        self.mix = Conv(3, 3 * factor**2, rngs=rngs)
        place = (np.arange(factor) + 0.5) / factor - 0.5
        # The weights of the pixel before, this one and the next.
        near = np.stack([np.maximum(-place, 0), 1 - np.abs(place), np.maximum(place, 0)], axis=1)
        self.mix.kernel[...] = np.einsum("ay,bx,ij->yxiabj", near, near, np.eye(3)).reshape(3, 3, 3, -1)

    def __call__(self, image: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w c"]:
        edges = [(0, 0)] * (image.ndim - 3) + [(1, 1), (1, 1), (0, 0)]
        return self.mix(jnp.pad(image, edges, mode="edge"))[..., 1:-1, 1:-1, :]


class Recurrence(nnx.Module):
    """h ← h' + g (tanh(W e + U h' + b) - h'), g = sigmoid(G [e, h']).

    The gate lets a state last for many frames; a plain tanh recurrence forgets it. |h| never exceeds 1.
    """

    def __init__(self, features: int, width: int, *, reach: int, rngs: nnx.Rngs | None):
        self.input = Conv(features, 2 * width, size=1, gain=0.5, rngs=rngs)
        self.gate = Conv(width, width, size=1, gain=0.1, rngs=rngs)
        self.recur = Conv(width, width, size=reach, gain=0.3, rngs=rngs)

    def __call__(self, e: Float[Array, "*b h w f"], moved: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        new, keep = jnp.split(self.input(e), 2, axis=-1)
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, because tanh is the faster of the two on a CPU.
        gate = 0.5 + 0.5 * jnp.tanh(0.5 * (keep + self.gate(moved)))
        return moved + gate * (jnp.tanh(new + self.recur(moved)) - moved)
