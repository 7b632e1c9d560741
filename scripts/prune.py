"""Removes the channels of a network that change nothing, which makes it faster.

    python scripts/prune.py WEIGHTS CONFIG FOOTAGE -o OUT [--exclude A,B] [--clips 24] [--rare 1e-4]

A rectifier can fall silent for good while a network is trained. Restores clips that are made of FOOTAGE as training
with CONFIG makes them. A channel of the encoder, or inside a residual block, that is never above zero is left out;
with --rare, so is one that is above zero in no more than that share of the places. The channels of a layer stay a
multiple of 8, which is faster. A block without channels is left out too: its last bias is added to the layers before or
after. Prints what is left, and the PSNR of both networks' results; writes OUT, which may be WEIGHTS.
"""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser, words
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax import config, weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import input_channels, start
from vdiff_jax.nn.conv import Conv, convolve, watching
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.cache import decode, split
from vdiff_jax.training.data import Example, Examples

Parameters = dict[str, np.ndarray]
"""The parameters by name, such as `decoder.0.1.first.kernel`."""
MULTIPLE = 8


def main() -> None:
    """Prints what is left and writes the smaller network."""
    parser = new_parser(__doc__)
    parser.add_argument("weights", help="the name or file of the weights")
    parser.add_argument("config", type=Path, help="the configuration that they were trained with")
    parser.add_argument("footage", type=Path, help="a folder of videos and photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--exclude", type=words, default=[], metavar="A,B", help="parts of names to leave out")
    parser.add_argument("--clips", type=int, default=24, help="clips to restore for each task (default: 24)")
    parser.add_argument("--rare", type=float, default=0.0, help="share of places that counts as none (default: 0)")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="decoded footage (default: cache)")
    options = parser.parse_args()
    run, found = config.load(options.config), weights.load(options.weights)
    items = decode(options.footage, options.cache, reduction=run.data.reduction, exclude=tuple(options.exclude))
    data = dataclasses.replace(run.data, frames=6, patch=128)
    footage, _ = split(items)
    clips = [
        maker(number)
        for maker in (Examples(footage, data, {task: 1.0}, seed=9) for task in run.train.tasks)
        for number in range(options.clips)
    ]
    params = parameters(found.params)
    _, shares = measure(found.config, params, clips)
    active = {layer: share > options.rare for layer, share in shares.items()}
    size, smaller = thinned(found.config, params, active)
    before, after = (quality(*network, clips) for network in ((found.config, params), (size, smaller)))
    about = {key: value for key, value in found.about.items() if key not in ("network", "format")}
    if options.rare == 0:  # the results are the same, so the weights still restore what `compress` made with them
        earlier = {*json.loads(about.get(weights.EARLIER, "[]")), weights.identity(options.weights).hex()}
        about[weights.EARLIER] = json.dumps(sorted(earlier))
    else:
        about.pop(weights.EARLIER, None)
    weights.save(options.output, size, state(size, smaller), about, found.wiener_model, found.wiener_of_both)
    for name, config_of, psnr in ((options.weights, found.config, before), (options.output, size, after)):
        print(f"{name}: encoder {config_of.encoded}, decoder {config_of.decoder}, {psnr.mean():.3f} dB")
    print(f"largest change of a clip: {np.abs(after - before).max():.5f} dB")


def quality(size: NetworkConfig, params: Parameters, clips: list[Example]) -> np.ndarray:
    """The PSNR of each restored clip in dB."""
    definition, _ = nnx.split(Network(size, inputs=input_channels(size), rngs=nnx.Rngs(0)))

    @jax.jit
    def error(values: nnx.State, clip: Example) -> jax.Array:
        network = nnx.merge(definition, values)
        _, result = rollout(network, clip.observation, start(size, clip.clip.shape[1:3]), project=project)
        return jnp.mean((result - clip.clip) ** 2)

    return -10 * np.log10([float(error(state(size, params), clip)) for clip in clips])


def measure(size: NetworkConfig, params: Parameters, clips: list[Example]) -> tuple[Parameters, Parameters]:
    """The mean input of each convolution, and of each of its channels the share of places above zero."""
    definition, _ = nnx.split(Network(size, inputs=input_channels(size), rngs=nnx.Rngs(0)))
    network = nnx.merge(definition, state(size, params))
    names = {id(part): ".".join(map(str, path)) for path, part in nnx.iter_modules(network) if isinstance(part, Conv)}
    means, active = {}, {}

    def add(conv: Conv, x: Float[Array, "h w i"]) -> None:
        y = convolve(x, conv.kernel[...]) + conv.bias[...][None, None]
        means.setdefault(names[id(conv)], []).append(np.mean(x, axis=(0, 1)))
        active.setdefault(names[id(conv)], []).append(np.mean(y > 0, axis=(0, 1)))

    with jax.disable_jit(), watching(add):
        for clip in clips:
            rollout(network, clip.observation, start(size, clip.clip.shape[1:3]), project=project)
    means, active = ({name: np.mean(found, axis=0) for name, found in each.items()} for each in (means, active))
    return means, {name: share for name, share in active.items() if _before_rectifier(name)}


def _before_rectifier(layer: str) -> bool:
    return layer == "stem" or layer.startswith(("down.", "restrict.")) or layer.endswith(".first")


def thinned(size: NetworkConfig, params: Parameters, active: dict[str, np.ndarray]) -> tuple[NetworkConfig, Parameters]:
    """The network without the channels that are not active, and without the blocks that have none left.

    Args:
      size: of the network.
      params: its parameters.
      active: for each layer before a rectifier, which of its channels are.
    """
    params = dict(params)
    for part in ("decoder", "encoder"):
        levels = []
        for level, inner in enumerate(getattr(size, part)):
            blocks = [f"{part}.{level}.{number}" for number in range(len(inner))]
            kept = [block for block in blocks if active[f"{block}.first"].any()]
            for block in kept:
                _keep_channels(params, block, active[f"{block}.first"])
            levels.append(tuple(len(params[f"{block}.first.bias"]) for block in kept))
            for block in reversed(blocks):
                if block not in kept:
                    _remove(params, size, block)
            for block, place in zip(kept, blocks):
                for name in [name for name in params if name.startswith(f"{block}.")]:
                    params[name.replace(block, place, 1)] = params.pop(name)
        size = dataclasses.replace(size, **{part: tuple(levels)})
    return _with_less_encoder(size, params, active)


def _with_less_encoder(
    size: NetworkConfig, params: Parameters, active: dict[str, np.ndarray]
) -> tuple[NetworkConfig, Parameters]:
    """The network without the encoder's channels that are not active, at levels where no block follows them.

    The channels that stay become the first ones of their level, in all layers that read or write this level.
    """
    if size.leak:
        return size, params  # below zero its channels are not zero
    encoded = list(size.encoded)
    for level, (width, blocks) in enumerate(zip(size.widths, size.encoder)):
        layer = "stem" if level == 0 else f"down.{level - 1}.mix"
        if blocks:
            continue
        others = width - encoded[level]
        alive = np.concatenate([active[layer], np.zeros(others, bool)])
        order = np.argsort(~alive, kind="stable")
        encoded[level] = min(encoded[level], -(-int(alive.sum()) // MULTIPLE) * MULTIPLE)
        _reorder(params, level, order, encoded[level])
    features = () if tuple(encoded) == size.widths else tuple(encoded)
    return dataclasses.replace(size, features=features), params


def _reorder(params: Parameters, level: int, order: np.ndarray, encoded: int) -> None:
    """Puts a level's channels in another order, and keeps the first ones of the encoder's."""
    finest, first = level == 0, order[:encoded]
    encoder = "stem" if finest else f"down.{level - 1}.mix"
    legs = "inject" if finest else f"restrict.{level - 1}.mix"
    blocks = [name.removesuffix(".first.bias") for name in params if name.endswith(".first.bias")]
    blocks = [block for block in blocks if block.startswith(f"decoder.{level}.")]
    cell = f"recurrence.{level}"
    for layer, channels, groups in [
        (encoder, first, 1),
        (legs, order, 1),
        (f"{cell}.input", order, 2),
        (f"{cell}.gate", order, 1),
        (f"{cell}.recur", order, 1),
        (f"up.{level}.mix", order, 4),
        *((f"{block}.second", order, 1) for block in blocks),
    ]:
        _take(params, f"{layer}.kernel", -1, channels, groups)
        _take(params, f"{layer}.bias", -1, channels, groups)
    readers = ["out", "through"] if finest else [f"up.{level - 1}.mix", f"conduct.{level - 1}"]
    for layer, channels, groups in [
        (f"{cell}.input", first, 1),
        (f"{cell}.gate", order, 1),
        (f"{cell}.recur", order, 1),
        (f"down.{level}.mix", first, 4),
        (f"restrict.{level}.mix", order, 4),
        *((f"{block}.first", order, 1) for block in blocks),
        *((reader, order, 1) for reader in readers),
    ]:
        _take(params, f"{layer}.kernel", -2, channels, groups)


def _take(params: Parameters, name: str, axis: int, channels: np.ndarray, groups: int) -> None:
    """Takes channels of a parameter's axis that holds so many groups of them, such as the pixels of a block."""
    if name in params:  # the coarsest level has no layers to a coarser one
        leaf = params[name]
        count = leaf.shape[axis] // groups
        params[name] = leaf.take(np.concatenate([count * n + channels for n in range(groups)]), axis=axis)


def _keep_channels(params: Parameters, block: str, active: np.ndarray) -> None:
    count = -(-int(active.sum()) // MULTIPLE) * MULTIPLE
    channels = np.sort(np.argsort(~active, kind="stable")[:count])
    params[f"{block}.first.kernel"] = params[f"{block}.first.kernel"][..., channels]
    params[f"{block}.first.bias"] = params[f"{block}.first.bias"][channels]
    params[f"{block}.second.kernel"] = params[f"{block}.second.kernel"][:, :, channels]


def _remove(params: Parameters, size: NetworkConfig, block: str) -> None:
    """Takes a silent block away. Its last bias is added to a layer before it, or to those that read its result."""
    part, level, number = block.split(".")
    bias, level, coarsest = params[f"{block}.second.bias"], int(level), len(size.widths) - 1
    if number != "0":
        _add(params, f"{part}.{level}.{int(number) - 1}.second", bias)
    elif part == "decoder" and level < coarsest:
        _add(params, f"up.{level}.mix", np.tile(bias, 4))
    elif level == coarsest > 0 and not _read_by_blocks(params, size, block):
        readers = [f"up.{level - 1}.mix", f"conduct.{level - 1}"]
        for layer in readers if part == "decoder" else [*readers, f"recurrence.{level}.input"]:
            _add(params, layer, bias @ params[f"{layer}.kernel"][0, 0])
    else:
        raise SystemExit(f"{block} is silent, but it cannot be removed")
    for name in [name for name in params if name.startswith(f"{block}.")]:
        del params[name]


def _read_by_blocks(params: Parameters, size: NetworkConfig, block: str) -> bool:
    """Whether another block that is left reads this one's result, so that a bias cannot pass it."""
    part, level, _ = block.split(".")
    later = any(name.startswith(f"{part}.{level}.") and not name.startswith(f"{block}.") for name in params)
    return later or (part == "encoder" and bool(size.decoder[int(level)]))


def _add(params: Parameters, layer: str, bias: np.ndarray) -> None:
    params[f"{layer}.bias"] = params[f"{layer}.bias"] + bias


def parameters(params: nnx.State) -> Parameters:
    return {".".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(params)}


def state(size: NetworkConfig, params: Parameters) -> nnx.State:
    """The inverse of `parameters`, for a network of this size."""
    _, shapes = nnx.split(nnx.eval_shape(lambda: Network(size, inputs=input_channels(size))))
    flat = nnx.to_flat_state(shapes)
    return nnx.from_flat_state(
        [(path, leaf.replace(jnp.asarray(params[".".join(map(str, path))]))) for path, leaf in flat]
    )


if __name__ == "__main__":
    main()
