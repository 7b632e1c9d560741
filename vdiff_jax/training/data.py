"""Training examples through grain: a clean clip, corrupted on the fly, and what is known of it."""

import threading
from collections.abc import Callable
from typing import NamedTuple

import grain
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.config import Data
from vdiff_jax.corruption.storage import subsampled, subsampled_observation
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.preprocess.motion import see, velocity
from vdiff_jax.tasks import TASKS
from vdiff_jax.training.cache import Split
from vdiff_jax.training.motion import clip_of_photo, clip_of_video, turned

SUBSAMPLED = 0.5
"""The share of clips whose chroma is stored as 4:2:0."""


class Example(NamedTuple):
    """What is known of a clip, and the clip: Y'CbCr in [0, 1]."""

    observation: Observation
    clip: Float[Array, "*b t h w 3"]


class Examples:
    """Example number n, a function of the seed and n alone: the same on any number of devices and processes."""

    def __init__(self, split: Split, data: Data, tasks: dict[str, float], *, seed: int):
        self._split, self._data, self._seed = split, data, seed
        self._names = list(tasks)
        self._shares = np.array(list(tasks.values())) / sum(tasks.values())
        self._corrupt = {name: _compiled(TASKS[name].corrupt) for name in tasks if TASKS[name].corrupt}

    def __call__(self, index: int) -> Example:
        rng = np.random.default_rng([self._seed, index])
        clip = np.asarray(self._clean(rng), np.float32) / 255
        name = self._names[rng.choice(len(self._names), p=self._shares)]
        observation, truth = self._corrupted(name, rng, index, clip)
        observation = jax.tree.map(np.asarray, observation)
        field = velocity([see(*frame) for frame in zip(observation.values[..., 0], observation.known[..., 0])])
        observation = Observation(**{**vars(observation), "velocity": field})
        return Example(observation, np.asarray(truth))

    def _corrupted(self, name: str, rng: np.random.Generator, index: int, clip: Float[np.ndarray, "t h w 3"]):
        task, truth = TASKS[name], _truth(clip)
        on_host, stored = rng.random(2)
        if task.corrupt_on_host is not None and on_host < task.share_on_host:
            return task.corrupt_on_host(rng, clip), subsampled(jnp.asarray(truth))
        observation = self._corrupt[name](jax.random.fold_in(jax.random.key(self._seed), index), clip)
        return _subsample(observation, truth) if stored < SUBSAMPLED else (observation, truth)

    def _clean(self, rng: np.random.Generator):
        size = {"frames": self._data.frames, "patch": self._data.patch}
        photos, videos = self._split.photos, self._split.videos
        if photos and (not videos or rng.random() < self._data.photos):
            first, second = rng.integers(0, len(photos), 2)
            return turned(rng, clip_of_photo(rng, photos[first], photos[second], **size))
        return turned(rng, clip_of_video(rng, videos[int(rng.integers(0, len(videos)))], **size))


def batches(examples: Examples, data: Data, *, process: int = 0, processes: int = 1) -> grain.IterDataset:
    """This process's part of each global batch, prepared ahead by `data.threads` threads; its iterator has a state."""
    dataset = grain.MapDataset.range(2**40)[process::processes].map(examples)
    reading = grain.ReadOptions(num_threads=data.threads, prefetch_buffer_size=4 * data.batch)
    return dataset.to_iter_dataset(reading).batch(data.batch // processes, batch_fn=stack)


def stack(examples: list[Example]) -> Example:
    """Examples of one size as a batch."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *examples)


def _truth(clip: Float[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t h w 3"]:
    return clip @ from_rgb("bt601").T + np.array([0, 0.5, 0.5], np.float32)


def _compiled(function: Callable) -> Callable:
    """The function compiled for the CPU, where its result is needed to measure motion, one thread at a time."""
    compiled = jax.jit(function)
    lock = threading.Lock()

    def run(*arguments):
        with jax.default_device(jax.local_devices(backend="cpu")[0]), lock:
            return compiled(*arguments)

    return run


_subsample = _compiled(lambda observation, clip: (subsampled_observation(observation), subsampled(clip)))
