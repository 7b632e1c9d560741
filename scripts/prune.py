"""Removes the channels inside a network's residual blocks that change nothing, which makes it faster.

    python scripts/prune.py WEIGHTS CONFIG FOOTAGE -o OUT [--exclude A,B] [--clips 24]

A rectifier can fall silent for good while a network is trained. Restores clips that are made of FOOTAGE as training
with CONFIG makes them. A channel whose outgoing weights have no gradient was never above zero; it is left out, but the
channels of a block stay a multiple of 8, which is faster. A block without channels is left out too: its last bias is
added to the layers before or after. Prints what is left, and the PSNR of both networks' results; writes OUT, which may
be WEIGHTS.
"""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser, words
from flax import nnx

from vdiff_jax import config, weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import input_channels, start
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.cache import decode, split
from vdiff_jax.training.data import Example, Examples, stack

Parameters = dict[str, np.ndarray]
"""The parameters by name, such as `decoder.0.1.first.kernel`."""
CLIPS_AT_ONCE, MULTIPLE = 2, 8


def main() -> None:
    """Prints what is left and writes the smaller network."""
    parser = new_parser(__doc__)
    parser.add_argument("weights", help="the name or file of the weights")
    parser.add_argument("config", type=Path, help="the configuration that they were trained with")
    parser.add_argument("footage", type=Path, help="a folder of videos and photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--exclude", type=words, default=[], metavar="A,B", help="parts of names to leave out")
    parser.add_argument("--clips", type=int, default=24, help="clips to restore for each task (default: 24)")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="decoded footage (default: cache)")
    options = parser.parse_args()
    run, found = config.load(options.config), weights.load(options.weights)
    items = decode(options.footage, options.cache, reduction=run.data.reduction, exclude=tuple(options.exclude))
    data = dataclasses.replace(run.data, frames=6, patch=128)
    footage, _ = split(items)
    batches = []
    for task in run.train.tasks:
        maker = Examples(footage, data, {task: 1.0}, seed=9)
        clips = [maker(number) for number in range(options.clips)]
        batches += [stack(clips[n : n + CLIPS_AT_ONCE]) for n in range(0, options.clips, CLIPS_AT_ONCE)]
    params = parameters(found.params)
    before, active = measure(found.config, params, batches)
    size, smaller = thinned(found.config, params, active)
    after, _ = measure(size, smaller, batches)
    about = {key: value for key, value in found.about.items() if key not in ("network", "format")}
    earlier = {*json.loads(about.get(weights.EARLIER, "[]")), weights.identity(options.weights).hex()}
    about[weights.EARLIER] = json.dumps(sorted(earlier))
    weights.save(options.output, size, state(size, smaller), about, found.wiener_model, found.wiener_of_both)
    print(f"{options.weights}: encoder {found.config.encoder}, decoder {found.config.decoder}, {before.mean():.3f} dB")
    print(f"{options.output}: encoder {size.encoder}, decoder {size.decoder}, {after.mean():.3f} dB")
    print(f"largest change of two clips: {np.abs(after - before).max():.5f} dB")


def measure(
    size: NetworkConfig, params: Parameters, batches: list[Example]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The PSNR of each batch of restored clips in dB; and for each block which of its channels were ever above zero."""
    definition, _ = nnx.split(Network(size, inputs=input_channels(size), rngs=nnx.Rngs(0)))

    @jax.jit
    @jax.value_and_grad
    def loss(values: nnx.State, batch: Example) -> jax.Array:
        carry = start(size, (batch.clip.shape[0], *batch.clip.shape[-3:-1]))
        _, result = rollout(nnx.merge(definition, values), batch.observation, carry, project=project)
        return jnp.mean(jnp.mean((result - batch.clip) ** 2, axis=(1, 2, 3, 4)))

    errors, active = [], {}
    for batch in batches:
        error, gradient = loss(state(size, params), batch)
        errors.append(float(error))
        for name, leaf in parameters(gradient).items():
            block, _, layer = name.partition(".second.")
            if layer == "kernel":
                active[block] = active.get(block, False) | np.any(leaf != 0, axis=(0, 1, 3))
    return -10 * np.log10(errors), active


def thinned(size: NetworkConfig, params: Parameters, active: dict[str, np.ndarray]) -> tuple[NetworkConfig, Parameters]:
    """The network without the channels that are not active, and without the blocks that have none left."""
    params = dict(params)
    for part in ("decoder", "encoder"):
        levels = []
        for level, inner in enumerate(getattr(size, part)):
            blocks = [f"{part}.{level}.{number}" for number in range(len(inner))]
            kept = [block for block in blocks if active[block].any()]
            for block in kept:
                _keep_channels(params, block, active[block])
            levels.append(tuple(len(params[f"{block}.first.bias"]) for block in kept))
            for block in reversed(blocks):
                if block not in kept:
                    _remove(params, size, block)
            for block, place in zip(kept, blocks):
                for name in [name for name in params if name.startswith(f"{block}.")]:
                    params[name.replace(block, place, 1)] = params.pop(name)
        size = dataclasses.replace(size, **{part: tuple(levels)})
    return size, params


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
    _, shapes = nnx.split(nnx.eval_shape(lambda: Network(size, inputs=input_channels(size), rngs=nnx.Rngs(0))))
    flat = nnx.to_flat_state(shapes)
    return nnx.from_flat_state(
        [(path, leaf.replace(jnp.asarray(params[".".join(map(str, path))]))) for path, leaf in flat]
    )


if __name__ == "__main__":
    main()
