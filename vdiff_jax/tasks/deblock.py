"""Deblock: everything is known, with the error that a video codec left."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.observation import Observation
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task

MEASURED, ESTIMATED = 0.35, 0.25
"""The shares of clips whose encoder has told the error that it left, and of those whose quantisers are not told."""
REDUCED, SIZES = 0.2, (4 / 5, 2 / 3, 1 / 2)
"""The share of clips that were coded in a smaller size, as compressed files may be, and those sizes."""

MARGIN = 32
"""Pixels around an example that are coded with it: a picture that things do not leave as soon as they moved."""


def corrupt(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"]) -> Observation:
    """A video codec at any quality, and each frame's error as it is told of a file.

    It is what the frame's quantiser lets expect; or this in proportion, so that its mean is the true one, as a
    compressed file says, always of one coded in a smaller size; or one figure for all frames, as far off as an estimate
    from the frames is.
    """
    reduced = rng.random() < REDUCED
    video = coded(rng, clip, share=rng.choice(SIZES) if reduced else 1.0)
    true = np.sqrt(np.mean((video.clip - rgb_to_stored(clip)) ** 2, axis=(1, 2))).mean(axis=0) + 1e-4
    error = np.broadcast_to(true, (len(clip), 3))
    if scale_of(video.codec) is not None:
        error = expected_error(video.codec, video.quantisers)
    way = rng.random()
    if reduced or way < MEASURED:
        error = error * true / error.mean(axis=0)
    elif way < MEASURED + ESTIMATED:
        error = np.broadcast_to(error.mean(axis=0) * np.exp(rng.normal(0, 0.3)), error.shape)
    return denoise.observe(jnp.asarray(video.clip), jnp.asarray(error, jnp.float32))


TASK = Task(name="deblock", corrupt_on_host=corrupt, share_on_host=1.0, margin=MARGIN)
