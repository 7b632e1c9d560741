"""The network of one frame as StableHLO; its inputs and outputs are those of the ONNX model."""

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.nn.network import Network

PLATFORMS = ("cpu", "cuda", "tpu")


def frame_step(network: Network, tensors: dict[str, Array]) -> dict[str, Array]:
    """What `onnx_model.make_model` computes, in JAX; arrays `1 c h w`."""
    states = [tensors[f"hidden_{level}"] for level in range(len(network.config.widths))]
    x, *moved = (jnp.moveaxis(tensor, 1, -1) for tensor in (tensors["input"], *states))
    features = network.encode(x)
    hidden = network.recur(features, moved)
    correction = network.correct(x[..., : 3 * network.config.cell**2], hidden, features)
    outputs = {f"next_hidden_{level}": h for level, h in enumerate(hidden)} | {
        "residual": correction.residual,
        "gates": jnp.concatenate([correction.previous, correction.ahead, correction.around], axis=-1),
        "mean": correction.mean,
    }
    return {name: jnp.moveaxis(output, -1, 1) for name, output in outputs.items()}


def serialize(network: Network, size: tuple[int, int] | None = None) -> bytes:
    """`frame_step` with the network's parameters, as `jax.export.deserialize` reads it.

    Args:
      network: the network.
      size: height and width of the frames; `None`: any that are multiples of `network.config.multiple`.
    """
    cells = export.symbolic_shape("h, w") if size is None else [side // network.config.multiple for side in size]
    channels = {"input": input_channels(network.config)} | {
        f"hidden_{level}": width for level, width in enumerate(network.config.widths)
    }
    last = len(network.config.widths) - 1
    levels = [0, *range(last + 1)]
    shapes = {
        name: jax.ShapeDtypeStruct((1, count, *(side * 2 ** (last - level) for side in cells)), jnp.float32)
        for (name, count), level in zip(channels.items(), levels)
    }
    exported = export.export(jax.jit(lambda tensors: frame_step(network, tensors)), platforms=PLATFORMS)(shapes)
    return bytes(exported.serialize())
