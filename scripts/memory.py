"""Measures for how many frames a network remembers an error.

    python scripts/memory.py [--weights base]

Denoises the sample clip twice, the second time with other noise in one early frame. Prints how much each later frame of
the result differs: the root mean square, as a share of the difference in that early frame.
"""

import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser
from flax import nnx

from vdiff_jax import sample, weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.media import open_reader
from vdiff_jax.preprocess.colour import noise_in_ycbcr
from vdiff_jax.preprocess.planes import clip_of_planes
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.velocity import velocity
from vdiff_jax.tasks.same_size import observe

SIGMA = 25 / 255
FRAMES = 40
CHANGED = 4
"""The frame that gets other noise."""


def main() -> None:
    """Prints a line for each distance in frames, and the distance at which less than 1 % is left."""
    parser = new_parser(__doc__)
    parser.add_argument("--weights", default="base", help="name or file of the weights (default: base)")
    loaded = weights.load(parser.parse_args().weights)
    clip = clean_clip()
    noise = SIGMA * jax.random.normal(jax.random.key(0), clip.shape)
    other = noise.at[CHANGED].set(SIGMA * jax.random.normal(jax.random.key(1), clip.shape[1:]))
    field = velocity([FlowFrame.from_luma(np.asarray(frame[..., 0]), time=n) for n, frame in enumerate(clip + noise)])

    @jax.jit
    def restore(noisy):
        observation = observe(noisy, jnp.asarray(noise_in_ycbcr(SIGMA)))
        observation = type(observation)(**{**vars(observation), "velocity": field})
        network = nnx.merge(loaded.definition, loaded.params)
        return rollout(network, observation, start(network.config, clip.shape[1:3]))[1]

    change = jnp.sqrt(jnp.mean((restore(clip + noise) - restore(clip + other)) ** 2, axis=(1, 2, 3)))
    share = np.asarray(change[CHANGED:] / change[CHANGED])
    for distance, left in enumerate(share):
        print(f"{distance:3d} frames later: {100 * left:6.2f} %")
    below = np.flatnonzero(share < 0.01)
    print(f"1 % is left after {below[0] if len(below) else f'more than {len(share)}'} frames")


def clean_clip() -> jax.Array:
    """The true frames of the sample as the network gets them, cropped to 240×240."""
    with open_reader(sample.TRUTH) as reader:
        frames = [frame.planes for _, frame in zip(range(FRAMES), reader)]
    planes = tuple(np.stack(p) for p in zip(*frames))
    return clip_of_planes(planes, reader.info.pixels, 8)[:, :240, 120:360]


if __name__ == "__main__":
    main()
