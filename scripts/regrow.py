"""Gives a network whose channels fell silent new ones, which change nothing until they are trained.

    python scripts/regrow.py WEIGHTS CONFIG FOOTAGE -o OUT --decoder 32,32,32:64:96 [--exclude A,B] [--clips 8]

Restores clips that are made of FOOTAGE as training with CONFIG makes them. A channel of the encoder that is above zero
in less than 1 % of the places starts again: its kernel is zero, its bias just above zero, and nothing reads it. A
silent channel inside a residual block is drawn again, and blocks are added until each level has those of --decoder;
the kernels that read the new channels are zero. --bilinear also lets the network move the next frame by bilinear
interpolation. Prints for each layer how many channels are silent before and after; writes OUT, which has no Wiener
step. Training with --init-from OUT goes on from there.
"""

import dataclasses
from pathlib import Path

import numpy as np
from benchmarking.arguments import new_parser, words
from flax import nnx
from prune import Parameters, measure, parameters, state

from vdiff_jax import config, weights
from vdiff_jax.nn.network import NetworkConfig, with_whole_encoder
from vdiff_jax.training.cache import decode, split
from vdiff_jax.training.data import Examples

RARE = 0.01
"""The share of places above zero below which a channel is silent."""
Blocks = tuple[tuple[int, ...], ...]


def main() -> None:
    """Prints how many channels are silent, and writes the network that has new ones."""
    parser = new_parser(__doc__)
    parser.add_argument("weights", help="the name or file of the weights")
    parser.add_argument("config", type=Path, help="the configuration to train them with")
    parser.add_argument("footage", type=Path, help="a folder of videos and photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--decoder", type=_blocks, required=True, help="channels inside the blocks of each level")
    parser.add_argument("--bilinear", action="store_true", help="move the next frame by bilinear interpolation")
    parser.add_argument("--exclude", type=words, default=[], metavar="A,B", help="parts of names to leave out")
    parser.add_argument("--clips", type=int, default=8, help="clips to restore (default: 8)")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="decoded footage (default: cache)")
    options = parser.parse_args()
    run, found = config.load(options.config), weights.load(options.weights)
    items = decode(options.footage, options.cache, reduction=run.data.reduction, exclude=tuple(options.exclude))
    data = dataclasses.replace(run.data, frames=6)
    maker = Examples(split(items)[0], data, run.train.tasks, seed=9)
    clips = [maker(number) for number in range(options.clips)]
    network = with_whole_encoder(nnx.merge(found.definition, found.params))
    params = parameters(nnx.state(network))
    means, active = measure(network.config, params, clips)
    print("before", silent(active))
    size = dataclasses.replace(network.config, decoder=options.decoder, bilinear=options.bilinear)
    grown = with_new_blocks(encoder_anew(params, active), network.config, size, means, active)
    print("after", silent(measure(size, grown, clips)[1]))
    weights.save(options.output, size, state(size, grown), {})


def silent(active: Parameters) -> str:
    """How many channels of each layer are silent."""
    return ", ".join(f"{name} {np.sum(share < RARE)} of {len(share)}" for name, share in sorted(active.items()))


def with_new_blocks(
    params: Parameters, old: NetworkConfig, new: NetworkConfig, means: Parameters, active: Parameters
) -> Parameters:
    """The parameters with the decoder's blocks of the new size; active channels stay as they are."""
    rng = np.random.default_rng(5)
    grown = {name: leaf for name, leaf in params.items() if not name.startswith("decoder.")}
    for level, (width, blocks) in enumerate(zip(new.widths, new.decoder)):
        result = "through" if level == 0 else f"up.{level - 1}.mix"  # a layer that reads this level's result
        for number, inner in enumerate(blocks):
            block = f"decoder.{level}.{number}"
            mean = means.get(f"{block}.first", means[result])
            first = np.sqrt(2 / (9 * width)) * rng.standard_normal((3, 3, width, inner))
            bias, second = -np.einsum("yxio,i->o", first, mean), np.zeros((3, 3, inner, width))
            last = np.zeros(width)
            if number < len(old.decoder[level]):
                kept = np.flatnonzero(active[f"{block}.first"] >= RARE)[:inner]
                part = slice(len(kept))
                first[..., part] = params[f"{block}.first.kernel"][..., kept]
                bias[part] = params[f"{block}.first.bias"][kept]
                second[:, :, part] = params[f"{block}.second.kernel"][:, :, kept]
                last = params[f"{block}.second.bias"]
            leaves = {"first.kernel": first, "first.bias": bias, "second.kernel": second, "second.bias": last}
            grown |= {f"{block}.{name}": leaf.astype(np.float32) for name, leaf in leaves.items()}
    return grown


def encoder_anew(params: Parameters, active: Parameters) -> Parameters:
    """The parameters with the encoder's silent channels at the start of their training."""
    params = dict(params)
    layers = ["stem", *sorted(name for name in active if name.startswith("down."))]
    for level, layer in enumerate(layers):
        anew = active[layer] < RARE
        params[f"{layer}.kernel"] = np.where(anew, 0, params[f"{layer}.kernel"])
        params[f"{layer}.bias"] = np.where(anew, 1e-3, params[f"{layer}.bias"])
        readers = {f"recurrence.{level}.input.kernel": anew}
        if level + 1 < len(layers):
            readers[f"{layers[level + 1]}.kernel"] = np.tile(anew, 4)
        for name, channels in readers.items():
            params[name] = np.where(channels[:, None], 0, params[name])
    return params


def _blocks(text: str) -> Blocks:
    return tuple(tuple(int(n) for n in words(level)) if level else () for level in text.split(":"))


if __name__ == "__main__":
    main()
