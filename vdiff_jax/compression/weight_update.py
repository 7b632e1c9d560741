"""A video's own change of the network's parameters: which ones, how they are rounded, and as bytes.

Changed are all biases, a scale for each output channel of every kernel, and the kernel of the last layer, each in a
unit of its own; the rest of the network is the same for all videos.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from vdiff_jax.compression import range_coder
from vdiff_jax.errors import AttachmentError

_LAST = "out"
_BIAS, _SCALE, _KERNEL = 0.05, 0.1, 0.5
"""The units of biases, of scales, and of the last kernel's weights, which is their own standard deviation's part."""
_DEAD = 0.66
"""Steps from 0 that are still rounded to 0: what they gain is not worth a sign."""


def size_of(params: nnx.State) -> int:
    """How many numbers an update has."""
    return sum(length for _, _, length in _layout(params))


def changed(params: nnx.State, update: Float[Array, " n"]) -> nnx.State:
    """The parameters with an update, in units; differentiable."""
    flat = dict(nnx.to_flat_state(params))
    values = {path: leaf[...] for path, leaf in flat.items()}
    at = 0
    for path, kind, length in _layout(params):
        part, at = update[at : at + length], at + length
        if kind == "bias":
            values[path] = values[path] + _BIAS * part
        elif kind == "scale":
            values[path] = values[path] * (1 + _SCALE * part.reshape(1, 1, 1, -1))
        else:
            kernel = flat[path][...]
            values[path] = values[path] + _KERNEL * jnp.std(kernel) * part.reshape(kernel.shape)
    return nnx.from_flat_state([(path, leaf.replace(values[path])) for path, leaf in flat.items()])


def rounded(update: Float[np.ndarray, " n"], fineness: int) -> Int[np.ndarray, " n"]:
    """The update in steps of 2^-fineness units, what is near 0 to 0."""
    steps = np.abs(np.asarray(update, np.float64)) * 2.0**fineness
    return (np.sign(update) * np.floor(steps + 1 - _DEAD)).astype(int)


def pack(steps: Int[np.ndarray, " n"], fineness: int) -> bytes:
    """Rounded steps as bytes; none where nothing changes."""
    return bytes([fineness]) + range_coder.encode(steps.tolist()) if steps.any() else b""


def apply(params: nnx.State, data: bytes) -> nnx.State:
    """The parameters as packed bytes change them.

    Raises:
      AttachmentError: the bytes are of no such update.
    """
    if not data:
        return params
    if data[0] > 30:
        raise AttachmentError(f"the attachment's update is in steps of 2^-{data[0]}")
    steps = np.array(range_coder.decode(data[1:], size_of(params)), np.float32)
    return jax.tree.map(jnp.asarray, changed(params, jnp.asarray(steps * 2.0 ** -data[0])))


def _layout(params: nnx.State) -> list[tuple[tuple, str, int]]:
    """Parts of an update in order: whose they are, of what kind, how many numbers."""
    parts = []
    for path, leaf in nnx.to_flat_state(params):
        if path[-1] == "bias":
            parts.append((path, "bias", leaf.size))
        elif path[-1] == "kernel":
            parts.append((path, "scale", leaf.shape[-1]))
            if path[0] == _LAST:
                parts.append((path, "kernel", leaf.size))
    return parts
