"""Validation during training: PSNR, SSIM and pictures of clips that are never trained on."""

from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax.config import Config, Data
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.metrics import ssim
from vdiff_jax.preprocess.colour import ycbcr_to_rgb
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Example, Examples, stack

CLIPS = 8
"""The number of clips for each task."""


class Evaluation:
    """Restores the same few examples of each task at each call."""

    def __init__(self, definition: nnx.GraphDef, split: Split, config: Config):
        size = Data(frames=max(8, config.data.frames), patch=config.data.patch)
        self._examples = {task: Examples(split, size, {task: 1.0}, seed=1) for task in config.train.tasks}
        self._restore = partial(_restored, definition)

    @cached_property
    def _batches(self) -> dict[str, Example]:
        """The examples of each task; they are made at the first call, so that a run starts sooner."""
        return {task: stack([example(n) for n in range(CLIPS)]) for task, example in self._examples.items()}

    def __call__(self, params: nnx.State) -> tuple[dict[str, float], dict[str, Float[np.ndarray, "h w 3"]]]:
        """Scalars such as "psnr/denoise" in dB, "ssim/denoise" and "input_psnr/denoise"; a picture for each task."""
        scalars, pictures = {}, {}
        for task, batch in self._batches.items():
            corrupted, result, truth = self._restore(params, batch)
            for prefix, clip in (("", result), ("input_", corrupted)):
                scalars[f"{prefix}psnr/{task}"] = float(_psnr(clip, truth))
                scalars[f"{prefix}ssim/{task}"] = float(jnp.mean(ssim(clip, truth)))
            pictures[task] = np.asarray(_side_by_side(corrupted, result, truth))
        return scalars, pictures


@partial(jax.jit, static_argnums=0)
def _restored(definition: nnx.GraphDef, params: nnx.State, batch: Example) -> tuple[Array, Array, Array]:
    """Input, result and truth in R'G'B'."""
    network = nnx.merge(definition, params)
    carry = start(network.config, (batch.clip.shape[0], *batch.clip.shape[-3:-1]))
    _, result = rollout(network, batch.observation, carry, project=project)
    images = (batch.observation.values, result, batch.clip)
    return tuple(jnp.clip(ycbcr_to_rgb(image), 0, 1) for image in images)


def _psnr(a: Float[Array, "b t h w c"], b: Float[Array, "b t h w c"]) -> Float[Array, ""]:
    """The mean over the clips of each clip's PSNR in dB."""
    error = jnp.mean((a - b) ** 2, axis=(1, 2, 3, 4))
    return jnp.mean(-10 * jnp.log10(error + 1e-10))


def _side_by_side(*clips: Float[Array, "b t h w c"]) -> Float[Array, "h2 w2 3"]:
    """The last frames of the clips side by side, one example below the other."""
    rows = jnp.concatenate([clip[:, -1] for clip in clips], axis=2)
    return rows.reshape(-1, *rows.shape[2:])
