"""The network of one frame: encoder, recurrence and the V-cycle that corrects the frame."""

import dataclasses
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax.nn.blocks import Down, EnlargeImage, Recurrence, Residual, Up, relu
from vdiff_jax.nn.conv import Conv
from vdiff_jax.preprocess.grids import block_mean, pairs_to_channels, shuffle, unshuffle


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The size of the network.

    Attributes:
      widths: channels of each level of the pyramid, finest first. A level has half the size of the one before.
      encoder: the residual blocks of each level before the recurrence: the channels inside each block.
      decoder: the residual blocks of each level in the V-cycle, in the same way.
      reach: the kernel size of the recurrence's convolution U at each level, 1 or 3.
      steps: the number of V-cycles a frame.
      cell: the side, in pixels, of a block of the frame. The finest level has one point for each block.
      leak: the slope of the encoder's rectifiers below zero. At 0, training can silence a channel for good.
      bilinear: moves the next frame by bilinear interpolation, which fits better, instead of taking nearest samples,
        which keep noise white.
      features: channels of the encoder at each level, if they are fewer than `widths`; the others are zero.
    """

    widths: tuple[int, ...] = (32, 64, 96)
    encoder: tuple[tuple[int, ...], ...] = ((), (), ())
    decoder: tuple[tuple[int, ...], ...] = ((32, 32, 32), (), ())
    reach: tuple[int, ...] = (1, 3, 3)
    steps: int = 1
    cell: int = 2
    leak: float = 0.0
    bilinear: bool = False
    features: tuple[int, ...] = ()

    @property
    def encoded(self) -> tuple[int, ...]:
        """Channels of the encoder at each level."""
        return self.features or self.widths

    @property
    def multiple(self) -> int:
        """The number that a frame's height and width must be a multiple of."""
        return self.cell << (len(self.widths) - 1)

    @property
    def halo(self) -> int:
        """Rows of the finest level above and below a point that its result depends on, in whole coarsest points."""
        levels = zip(self.encoder, self.decoder, self.reach)
        radius = 2 + sum((2 * len(e) + 2 * len(d) + r // 2 + 1) << level for level, (e, d, r) in enumerate(levels))
        coarsest = self.multiple // self.cell
        return -(-radius // coarsest) * coarsest


SIZES = {
    "base": NetworkConfig(reach=(1, 1, 3)),
    "fast": NetworkConfig(widths=(16, 32, 64), decoder=((16,), (), ())),
    # For superres ×4: its finest level is the small picture.
    "superres4": NetworkConfig(
        widths=(64, 64), encoder=((), ()), decoder=((64,) * 5, (64,)), reach=(1, 3), cell=4, leak=0.1
    ),
    # For tests: too small to restore well.
    "tiny": NetworkConfig(widths=(8, 12), encoder=((), ()), decoder=((), (12,)), reach=(1, 1)),
}


def same_but_blocks(a: NetworkConfig, b: NetworkConfig) -> bool:
    """Whether two networks differ at most in their residual blocks, the encoder's channels and how frames are moved."""
    return dataclasses.replace(a, encoder=b.encoder, decoder=b.decoder, bilinear=b.bilinear, features=b.features) == b


class Correction(NamedTuple):
    """The V-cycle's output on the finest level, unshuffled: c channels, three for each pixel; p, two for each.

    Attributes:
      residual: to add to the frame, in units of its expected error.
      previous: the mixing weight of the previous result in this frame, 0 to 1. Each pixel has one mixing weight for
        luma and one for chroma, here as in `ahead` and `around`.
      ahead: the mixing weight of the next frame.
      around: the mixing weight of `mean`, a conductivity: 0 keeps a pixel, 1 replaces it by the mean.
      mean: the weighted mean of each pixel's surroundings, minus 0.5 like z.
    """

    residual: Float[Array, "*b h w c"]
    previous: Float[Array, "*b h w p"]
    ahead: Float[Array, "*b h w p"]
    around: Float[Array, "*b h w p"]
    mean: Float[Array, "*b h w c"]


class Network(nnx.Module):
    """Encoder, recurrence and V-cycle over a pyramid whose finest level has one point for each block of pixels.

    Without `rngs` the parameters have their shapes, but not their initial values.
    """

    def __init__(self, config: NetworkConfig, *, inputs: int, rngs: nnx.Rngs | None = None):
        widths, encoded = config.widths, config.encoded
        finer, coarser = widths[:-1], widths[1:]
        pixels = config.cell**2
        self.config = config
        self.stem = Conv(inputs, encoded[0], rngs=rngs)
        self.down = nnx.List([Down(i, o, rngs=rngs) for i, o in itertools.pairwise(encoded)])
        self.encoder = nnx.List([_blocks(w, n, rngs) for w, n in zip(encoded, config.encoder)])
        levels = zip(encoded, widths, config.reach)
        self.recurrence = nnx.List([Recurrence(i, w, reach=r, rngs=rngs) for i, w, r in levels])
        self.inject = Conv(3 * pixels, widths[0], size=1, gain=0.3, rngs=rngs)
        self.restrict = nnx.List([Down(i, o, rngs=rngs) for i, o in zip(finer, coarser)])
        self.up = nnx.List([Up(o, i, rngs=rngs) for i, o in zip(finer, coarser)])
        self.decoder = nnx.List([_blocks(w, n, rngs) for w, n in zip(widths, config.decoder)])
        self.out = Conv(widths[0], 9 * pixels, gain=0.1, rngs=rngs)
        self.through = Conv(widths[0], 3 * pixels, size=1, gain=0.1, rngs=rngs)
        self.conduct = nnx.List([Conv(w, 8, size=1, gain=0.1, rngs=rngs) for w in coarser])
        self.enlarge = nnx.List(
            [EnlargeImage(config.cell if level == 0 else 2, rngs=rngs) for level in range(len(widths))]
        )

    def encode(self, x: Float[Array, "*b h w i"]) -> list[Float[Array, "*b hl wl fl"]]:
        """Features of the encoder's input, one array for each level."""
        features, leak = [], self.config.leak
        e = relu(self.stem(x), leak)
        for level, blocks in enumerate(self.encoder):
            e = e if level == 0 else relu(self.down[level - 1](e), leak)
            for block in blocks:
                e = block(e)
            features.append(e)
        return features

    def recur(self, features: list[Array], moved: list[Array]) -> list[Array]:
        """The next hidden state at each level, from this frame's features and the state moved to this frame."""
        return [cell(e, h) for cell, e, h in zip(self.recurrence, features, moved)]

    def correct(self, z: Float[Array, "*b h w c"], hidden: list[Array], features: list[Array]) -> Correction:
        """One V-cycle: z goes down the pyramid, and the correction comes up, coarse to fine.

        The mean of each pixel's surroundings is computed on the way up. At each level a pixel is mixed with the
        enlarged image of the coarser level; the network sets the weight of that image, the conductivity.

        Args:
          z: the frame less 0.5, unshuffled.
          hidden: the hidden state at each level.
          features: as from `encode`.
        """
        legs, images = [self.inject(z)], [z]
        for down in self.restrict:
            legs.append(relu(down(relu(legs[-1]))))
            images.append(unshuffle(_block_means(images[-1])))
        y, coarse = None, _block_means(images[-1])
        for level in reversed(range(len(legs))):
            x = legs[level] + _padded(features[level], self.config.widths[level]) + hidden[level]
            y = x if y is None else x + self.up[level](y)
            for block in self.decoder[level]:
                y = block(y)
            mean = self.enlarge[level](coarse)
            if level > 0:
                gate = jax.nn.sigmoid(self.conduct[level - 1](y))
                coarse = shuffle(images[level] + (gate @ pairs_to_channels(8)) * (mean - images[level]))
        out = self.out(relu(y))
        gates = jax.nn.sigmoid(out[..., z.shape[-1] :] - 2.0)
        # `through` bypasses the rectifier: noise has both signs, and each would need a channel behind a rectifier.
        residual = out[..., : z.shape[-1]] + self.through(y)
        return Correction(residual, *jnp.split(gates, 3, axis=-1), mean)


def _padded(features: Float[Array, "*b h w i"], width: int) -> Float[Array, "*b h w c"]:
    """The features with channels of zeros after them."""
    missing = width - features.shape[-1]
    return jnp.pad(features, [(0, 0)] * (features.ndim - 1) + [(0, missing)]) if missing else features


def _block_means(image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w 3"]:
    return image @ block_mean(image.shape[-1])


def _blocks(width: int, inner: tuple[int, ...], rngs: nnx.Rngs | None) -> nnx.List:
    return nnx.List([Residual(width, channels, rngs=rngs) for channels in inner])


def with_whole_encoder(network: Network) -> Network:
    """The same network with as many channels in its encoder as `widths` says; the further ones are zero."""
    config = dataclasses.replace(network.config, features=())
    inputs = network.stem.kernel.shape[2]
    definition, shapes = nnx.split(nnx.eval_shape(lambda: Network(config, inputs=inputs)))
    own = dict(nnx.to_flat_state(nnx.state(network)))
    whole = []
    for path, leaf in nnx.to_flat_state(shapes):
        value, shape = np.asarray(own[path][...]), leaf.shape
        if path[0] == "down" and path[-1] == "kernel":  # reads four pixels' channels
            value, shape = value.reshape(4, -1, value.shape[-1]), (4, shape[2] // 4, shape[3])
        value = np.pad(value, [(0, more - less) for more, less in zip(shape, value.shape)])
        whole.append((path, leaf.replace(jax.device_put(value.reshape(leaf.shape)))))
    return nnx.merge(definition, nnx.from_flat_state(whole))


def count_parameters(state: nnx.State) -> int:
    """The number of scalars in the network's parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def zeros_like_levels(config: NetworkConfig, shape: tuple[int, ...]) -> list[Float[Array, "*b hl wl cl"]]:
    """A hidden state of zeros, one array for each level, for frames of `shape` = (*b, h, w)."""
    *batch, height, width = shape
    return [
        jnp.zeros((*batch, height // (config.cell << level), width // (config.cell << level), channels))
        for level, channels in enumerate(config.widths)
    ]
