"""Training examples made in device memory: an accelerator need not wait for the host's processor."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.config import Data
from vdiff_jax.errors import ConfigError
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.sharding import CPU_PROGRAM
from vdiff_jax.tasks.task import Task
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import SUBSAMPLED, Draw, Example, Examples, jitted, with_velocity
from vdiff_jax.training.device_clips import Source, clip_of_photo, clip_of_video

_LARGEST = 2**31 - 1
"""Pixels: their numbers are 32-bit integers."""


class DeviceExamples(Examples):
    """`Examples` whose photographs and shots lie in the memory of the first local device as 8-bit pixels.

    Compiled functions draw crops, motion, noise, holes and reductions there, from the seed and the example's number.
    The host measures the optical flow on the examples' luma, and makes those examples that a codec codes.

    Raises:
      ConfigError: the footage has too many pixels, or does not fit the device's memory.
    """

    def __init__(self, split: Split, data: Data, tasks: dict[str, float], *, seed: int):
        super().__init__(split, data, tasks, seed=seed)
        self._device = jax.local_devices()[0]
        footage = [photo[None] for photo in self._photos] + list(self._shots)
        self._sources = _sources(footage)
        self._pixels = _on_device(footage, self._device)
        size = {"frames": data.frames, "patch": data.patch}
        self._of_photos = jitted(_scaled(partial(clip_of_photo, **size, soft=data.soft)))
        self._of_shot = jitted(_scaled(partial(clip_of_video, **size)))
        self._to_ycbcr = jitted(rgb_to_ycbcr)

    def stack(self, examples: list[Example]) -> Example:
        with CPU_PROGRAM:
            return jax.tree.map(lambda *leaves: jnp.stack(leaves), *examples)

    def _coded(self, task: Task, rng: np.random.Generator, draw: Draw) -> Example:
        return jax.device_put(super()._coded(task, rng, draw), self._device)

    def _compiled(self, task: Task, rng: np.random.Generator, draw: Draw, index: int) -> Example:
        with jax.default_device(self._device):
            clip = self._clean_on_device(draw, index)
            observation, truth = self._corrupt[task.name](self._seed, index, clip), self._to_ycbcr(clip)
            if rng.random() < SUBSAMPLED:
                observation, truth = self._stored[task.name](observation, truth)
            example = with_velocity(observation, truth)
            return jax.device_put(example, self._device)

    def _clean_on_device(self, draw: Draw, index: int) -> jax.Array:
        """The clean clip of an example, in [0, 1]."""
        if draw.photos is not None:
            sources = [self._sources[n] for n in draw.photos]
            return self._of_photos(self._seed, index, self._pixels, *sources)
        return self._of_shot(self._seed, index, self._pixels, self._sources[len(self._photos) + draw.shot])


def _scaled(function: Any) -> Any:
    """A function of a random key that gives 8-bit R'G'B', as one of seed and example's number that gives [0, 1]."""

    def run(seed: Any, index: Any, *arguments: Any) -> jax.Array:
        # The corruption uses the key of the number itself.
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), index), 1)
        return function(key, *arguments) / 255

    return run


def _sources(footage: list[np.ndarray]) -> list[Source]:
    """Where each photograph or shot lies among the pixels of all."""
    counts = [int(np.prod(frames.shape[:3])) for frames in footage]
    firsts = np.cumsum([0, *counts])
    if firsts[-1] > _LARGEST:
        raise ConfigError(
            f"the footage has {firsts[-1] / 1e9:.1f} billion pixels, at most 2.1 billion fit data.where = device: "
            "raise data.reduction, leave files out with --exclude, or pass --data.where host"
        )
    return [
        Source(*(np.int32(number) for number in (first, *frames.shape[:3]))) for first, frames in zip(firsts, footage)
    ]


def _on_device(footage: list[np.ndarray], device: Any) -> jax.Array:
    """The pixels of all photographs and shots, one after the other."""
    limit = (device.memory_stats() or {}).get("bytes_limit")
    needed = sum(frames.size for frames in footage)
    if limit is not None and needed > limit // 2:
        raise ConfigError(
            f"the footage takes {needed / 1e9:.1f} GB, more than half of the {limit / 1e9:.1f} GB of "
            f"{device.device_kind}: raise data.reduction, leave files out with --exclude, or pass --data.where host"
        )
    return jax.device_put(np.concatenate([np.reshape(frames, (-1, 3)) for frames in footage]), device)
