"""Gradients as if every convolution's input had the mean zero, so that fewer channels fall silent in training.

An input with a large mean, such as a plane of ones, lets each update of a kernel shift all outputs of the layer at
once. A rectifier that is shifted below zero everywhere has no gradient: its channel is lost. With μ the mean input,
W x + b is therefore trained as W (x - μ) + b', with b' = b + W μ.
"""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.rollout import look_ahead, rollout
from vdiff_jax.diffusion.step import Carry, start
from vdiff_jax.nn.conv import Conv, watching
from vdiff_jax.observation import Observation
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.data import Example

Means = dict[str, Float[Array, " i"]]
"""The mean input of each convolution, by its name, such as `encoder.0.1.first`; i is its number of input channels."""


def no_means(params: nnx.State) -> Means:
    """Zeros for each convolution, with which gradients stay as they are."""
    leaves = _by_name(params)
    return {layer: jnp.zeros(leaf.shape[2]) for name, leaf in leaves.items() if (layer := _layer_of_kernel(name))}


def input_means(definition: nnx.GraphDef, params: nnx.State, examples: Iterable[Example]) -> Means:
    """The mean input of each convolution while the examples are restored."""
    network = nnx.merge(definition, params)
    names = {id(module): _name(path) for path, module in nnx.iter_modules(network) if isinstance(module, Conv)}

    @jax.jit  # for one frame: a whole clip would take long to compile
    def restored(carry: Carry, clip: Observation, ahead: Observation, n: Array) -> tuple[Carry, Means]:
        found: dict[str, list[Array]] = {}

        def add(conv: Conv, x: Float[Array, "*b h w i"]) -> None:
            found.setdefault(names[id(conv)], []).append(jnp.mean(x, axis=range(x.ndim - 1), dtype=jnp.float32))

        frame, ahead = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, n, 1), (clip, ahead))
        with jax.disable_jit(), watching(add):  # so that no inner function hides from `add`
            carry, _ = rollout(network, frame, carry, following=ahead, project=project)
        return carry, {name: jnp.mean(jnp.stack(means), axis=0) for name, means in found.items()}

    means = []
    for observation, truth in examples:
        carry, ahead = start(network.config, truth.shape[-3:-1]), jax.jit(look_ahead)(observation)
        for n in range(len(truth)):
            carry, of_frame = restored(carry, observation, ahead, n)
            means.append(of_frame)
    return no_means(params) | jax.tree.map(lambda *values: jnp.asarray(np.mean(values, axis=0)), *means)


def centred(gradient: nnx.State, means: Means) -> nnx.State:
    """The gradient with respect to W and b', from the one with respect to W and b."""
    return _changed(gradient, means, lambda kernel, bias, mean: (kernel - jnp.outer(mean, bias)[None, None], bias))


def uncentred(update: nnx.State, means: Means) -> nnx.State:
    """The update of W and b, from the one of W and b'."""
    return _changed(update, means, lambda kernel, bias, mean: (kernel, bias - jnp.einsum("yxio,i->o", kernel, mean)))


def _changed(params: nnx.State, means: Means, function: Callable) -> nnx.State:
    """The parameters, each convolution's kernel and bias replaced by a function of both and of its mean input."""
    leaves = _by_name(params)
    for layer, mean in means.items():
        names = [f"{layer}.{part}" for part in ("kernel", "bias")]
        values = function(*(leaves[name][...] for name in names), mean)
        leaves |= {name: leaves[name].replace(value) for name, value in zip(names, values)}
    return nnx.from_flat_state([(path, leaves[_name(path)]) for path, _ in nnx.to_flat_state(params)])


def _by_name(params: nnx.State) -> dict[str, nnx.Variable]:
    return {_name(path): leaf for path, leaf in nnx.to_flat_state(params)}


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _layer_of_kernel(name: str) -> str:
    """The name of the convolution that a kernel belongs to; empty for other parameters."""
    layer, _, part = name.rpartition(".")
    return layer if part == "kernel" else ""
