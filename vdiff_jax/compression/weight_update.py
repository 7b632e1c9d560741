"""A change of the network's parameters for one video: which parameters change, how they are rounded and packed.

An update holds a number for every bias, for a scale of every kernel's output channel, and for every weight of the last
layer's kernel. Each kind has its own unit. All other parameters stay the same for all videos.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from vdiff_jax.compression import range_coder
from vdiff_jax.errors import AttachmentError

_LAST_LAYER = "out"
_BIAS, _SCALE, _KERNEL = 0.05, 0.1, 0.5
"""The units of biases, of scales, and of the last kernel's weights; the latter relative to their standard deviation."""
_DEAD_ZONE = 0.66
"""Up to this distance from 0, in steps, a number is rounded to 0: it would gain less than its bits cost."""
_FINEST = 30
"""The largest fineness that can be valid."""


def size_of(params: nnx.State) -> int:
    """How many numbers an update has."""
    return sum(length for _, _, length in _layout(params))


def changed(params: nnx.State, update: Float[Array, " n"]) -> nnx.State:
    """The parameters after an update, whose numbers are in units. Differentiable in `update`."""
    flat = dict(nnx.to_flat_state(params))
    values = {path: leaf[...] for path, leaf in flat.items()}
    position = 0
    for path, kind, length in _layout(params):
        part, position = update[position : position + length], position + length
        if kind == "bias":
            values[path] = values[path] + _BIAS * part
        elif kind == "scale":
            values[path] = values[path] * (1 + _SCALE * part.reshape(1, 1, 1, -1))
        else:
            kernel = flat[path][...]
            values[path] = values[path] + _KERNEL * jnp.std(kernel) * part.reshape(kernel.shape)
    return nnx.from_flat_state([(path, leaf.replace(values[path])) for path, leaf in flat.items()])


def rounded(update: Float[np.ndarray, " n"], fineness: int) -> Int[np.ndarray, " n"]:
    """The update in whole steps of 2^-fineness units; numbers near 0 become 0."""
    steps = np.abs(np.asarray(update, np.float64)) * 2.0**fineness
    return (np.sign(update) * np.floor(steps + 1 - _DEAD_ZONE)).astype(int)


def pack(steps: Int[np.ndarray, " n"], fineness: int) -> bytes:
    """The bytes of a rounded update; none if all of it is 0."""
    return bytes([fineness]) + range_coder.encode(steps.tolist()) if steps.any() else b""


def apply(params: nnx.State, data: bytes) -> nnx.State:
    """The parameters after a packed update.

    Raises:
      AttachmentError: `pack` can't have written the bytes.
    """
    if not data:
        return params
    if data[0] > _FINEST:
        raise AttachmentError(
            f"the attachment is invalid: the steps of its weight update are 2^-{data[0]}, finer than 2^-{_FINEST}"
        )
    steps = np.array(range_coder.decode(data[1:], size_of(params)), np.float32)
    return jax.tree.map(jnp.asarray, changed(params, jnp.asarray(steps * 2.0 ** -data[0])))


def _layout(params: nnx.State) -> list[tuple[tuple, str, int]]:
    """The parts of an update in order: the parameter's path, the kind of change, how many numbers."""
    parts = []
    for path, leaf in nnx.to_flat_state(params):
        if path[-1] == "bias":
            parts.append((path, "bias", leaf.size))
        elif path[-1] == "kernel":
            parts.append((path, "scale", leaf.shape[-1]))
            if path[0] == _LAST_LAYER:
                parts.append((path, "kernel", leaf.size))
    return parts
