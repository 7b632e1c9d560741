"""Training examples: clean clips that are corrupted on demand, in batches that grain prepares in other threads."""

import dataclasses
import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

import cv2
import grain
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vdiff_jax import tasks as table
from vdiff_jax.config import Data
from vdiff_jax.corruption.storage import subsampled
from vdiff_jax.observation import VELOCITY_GRID, Observation
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.sharding import CPU_PROGRAM
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.velocity import velocity
from vdiff_jax.tasks.task import Corrupt, Task
from vdiff_jax.training import balance
from vdiff_jax.training.cache import Split
from vdiff_jax.training.synthetic import clip_of_photo, clip_of_video, flipped

SUBSAMPLED = 0.5
"""The share of clips whose chroma is subsampled to 4:2:0. Clips that a codec decoded always are."""


class Example(NamedTuple):
    """The observation of a clip, and its ground truth: Y'CbCr in [0, 1]."""

    observation: Observation
    clip: Float[Array, "*b t h w 3"]


class Draw(NamedTuple):
    """The source of an example: its task, and either two photographs (see `clip_of_photo`) or a shot, by number."""

    task: int
    photos: tuple[int, int] | None
    shot: int | None


class Examples:
    """Makes example number n from the seed and n alone: the same example on any number of devices and processes.

    Args:
      split: the clean photographs and shots.
      data: the size of the clips, and how they are sampled.
      tasks: each task's share of the examples.
      seed: of everything random.
    """

    def __init__(self, split: Split, data: Data, tasks: dict[str, float], *, seed: int):
        self._data, self._seed = data, seed
        long = [video for video in split.videos if len(video) >= data.frames]
        self._photos, self._shots = split.photos, long or split.videos
        self._task_names = list(tasks)
        self._task_shares = np.array(list(tasks.values())) / sum(tasks.values())
        self._tasks = {name: table.find(name) for name in tasks}
        self._corrupt = {name: jitted(_keyed(task.corrupt)) for name, task in self._tasks.items() if task.corrupt}
        self._stored = {name: jitted(task.stored) for name, task in self._tasks.items()}
        of_photos = {name: n for name, n in data.balance.items() if name in ("brightness", "texture")}
        photos = [balance.measure(photo[None]) if of_photos else {} for photo in split.photos]
        self._photo_weights = balance.weights(photos, of_photos)
        shots = self._properties if data.balance else [{}] * len(self._shots)
        self._shot_weights = balance.weights(shots, data.balance)

    @functools.cached_property
    def _properties(self) -> list[dict[str, float]]:
        return [balance.measure(shot) for shot in self._shots]

    def __call__(self, index: int) -> Example:
        """Example number `index`."""
        draw = self.draw(index)
        rng = np.random.default_rng([self._seed, index])
        task = self._tasks[self._task_names[draw.task]]
        if rng.random() < task.share_on_host and task.corrupt_on_host:
            return self._coded(task, rng, draw)
        return self._compiled(task, rng, draw, index)

    def stack(self, examples: list[Example]) -> Example:
        """A batch of examples, where they are."""
        return stack(examples)

    def _coded(self, task: Task, rng: np.random.Generator, draw: Draw) -> Example:
        """An example that a codec corrupts."""
        assert task.corrupt_on_host is not None
        margin = task.margin
        clip = np.asarray(self._clean(rng, draw, self._data.patch + 2 * margin), np.float32) / 255
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            observation, truth = task.corrupt_on_host(rng, clip), subsampled(jnp.asarray(_truth(clip)))
        observation, truth = jax.tree.map(np.asarray, (observation, truth))
        return with_velocity(*jax.tree.map(lambda leaf: _without_margin(leaf, margin), (observation, truth)))

    def _compiled(self, task: Task, rng: np.random.Generator, draw: Draw, index: int) -> Example:
        """An example that a compiled function corrupts."""
        clip = np.asarray(self._clean(rng, draw, self._data.patch), np.float32) / 255
        with jax.default_device(jax.local_devices(backend="cpu")[0]):  # the optical flow runs on the host as well
            observation, truth = self._corrupt[task.name](self._seed, index, clip), _truth(clip)
            if rng.random() < SUBSAMPLED:
                observation, truth = self._stored[task.name](observation, truth)
        return with_velocity(*jax.tree.map(np.asarray, (observation, truth)))

    def draw(self, index: int) -> Draw:
        """The source of example number `index`."""
        rng = np.random.default_rng([self._seed, index, 1])
        task = int(rng.choice(len(self._task_names), p=self._task_shares))
        if self._photos and (not self._shots or rng.random() < self._data.photos):
            first, second = rng.choice(len(self._photos), 2, p=self._photo_weights)
            return Draw(task, (int(first), int(second)), None)
        return Draw(task, None, int(rng.choice(len(self._shots), p=self._shot_weights)))

    def intended(self) -> dict[str, dict[str, tuple[float, float]]]:
        """For each property and kind of shot, its share of the data and its intended share of the examples."""
        if not self._shots:
            return {}
        data = balance.shares(self._properties, np.ones(len(self._shots)))
        intended = balance.shares(self._properties, self._shot_weights)
        return {name: {kind: (data[name][kind], intended[name][kind]) for kind in data[name]} for name in data}

    def drawn(self, first: int, last: int) -> dict[str, float]:
        """Shares of the sources of examples `first` to `last` - 1, such as "drawn/photos" or "drawn/motion/still"."""
        draws = [self.draw(index) for index in range(first, last)]
        counts = np.bincount([d.shot for d in draws if d.shot is not None], minlength=len(self._shots)).astype(float)
        tasks = np.bincount([d.task for d in draws], minlength=len(self._task_names)) / max(1, len(draws))
        table = {f"drawn/task/{name}": float(share) for name, share in zip(self._task_names, tasks)}
        table["drawn/photos"] = sum(d.photos is not None for d in draws) / max(1, len(draws))
        if counts.any():
            for name, kinds in balance.shares(self._properties, counts).items():
                table |= {f"drawn/{name}/{kind}": share for kind, share in kinds.items()}
        return table

    def _clean(self, rng: np.random.Generator, draw: Draw, patch: int) -> UInt8[np.ndarray, "t p p 3"]:
        """The clean clip of an example."""
        size = {"frames": self._data.frames, "patch": patch}
        if draw.photos is not None:
            photos = (self._photos[n] for n in draw.photos)
            return flipped(rng, clip_of_photo(rng, *photos, soft=self._data.soft, **size))
        return flipped(rng, clip_of_video(rng, self._shots[draw.shot], **size))


def batches(examples: Examples, data: Data, *, process: int = 0, processes: int = 1) -> grain.IterDataset:
    """This process's part of each batch, prepared ahead by `data.threads` threads.

    The iterator's state counts batches, so that a run can continue with another number of processes.

    OpenCV gets one thread in the whole process: its other threads would wait in a busy loop and slow the training step.
    """
    cv2.setNumThreads(1)
    numbers = grain.MapDataset.range(2**40)[process::processes]
    own = numbers.map(lambda number: _in_background(examples, number)).batch(
        data.batch // processes, batch_fn=examples.stack
    )
    return own.to_iter_dataset(grain.ReadOptions(num_threads=data.threads, prefetch_buffer_size=4))


_thread = threading.local()
_NICE = 19
"""The nice value added for the threads that prepare batches."""


def _in_background(examples: Examples, number: int) -> Example:
    """The example, made at low thread priority: one delayed thread of the training step would delay the whole step."""
    if sys.platform == "linux" and not hasattr(_thread, "is_nice"):
        _thread.is_nice = True
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _NICE))
    return examples(number)


def example_shapes(data: Data) -> Example:
    """The shapes and dtypes of an example of any task, without making one."""
    side, frames = data.patch, data.frames

    def array(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, np.float32)

    clip = array(frames, side, side, 3)
    field = array(frames, side // VELOCITY_GRID, side // VELOCITY_GRID, 4)
    reduction = array(frames, 3)
    return Example(
        Observation(values=clip, known=clip, sigma=clip, time=array(frames), velocity=field, reduction=reduction), clip
    )


def stack(examples: list[Example]) -> Example:
    """A batch of examples of one size, on the host."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *examples)


def with_velocity(observation: Observation, truth: Float[Array | np.ndarray, "t h w 3"]) -> Example:
    """The example of an observation: with the optical flow on its luma, measured on the host, and a reduction."""
    luma, known, times = (
        np.asarray(leaf) for leaf in (observation.values[..., 0], observation.known[..., 0], observation.time)
    )
    frames = [FlowFrame.from_luma(*planes, time=float(time)) for *planes, time in zip(luma, known, times)]
    reduction = np.ones((len(luma), 3), np.float32) if observation.reduction is None else observation.reduction
    return Example(dataclasses.replace(observation, velocity=velocity(frames), reduction=reduction), truth)


def _without_margin(leaf: np.ndarray, margin: int) -> np.ndarray:
    """An array of an example without the margin around its frames; arrays that are no frames stay as they are."""
    return leaf[:, margin:-margin, margin:-margin] if margin and leaf.ndim == 4 else leaf


def _truth(clip: Float[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t h w 3"]:
    """An R'G'B' clip in Y'CbCr."""
    rows = cv2.transform(clip.reshape(len(clip), -1, 3), np.column_stack([from_rgb("bt601"), [0, 0.5, 0.5]]))
    return rows.reshape(clip.shape)


def _keyed(corrupt: Corrupt) -> Callable[[int, int, np.ndarray], Observation]:
    """The corruption as a function of seed, example number and clip; the random key comes from seed and number."""
    return lambda seed, index, clip: corrupt(jax.random.fold_in(jax.random.key(seed), index), clip)


def jitted(function: Callable) -> Callable:
    """The function compiled, for one thread at a time, and with JAX's cheaper random numbers for a single device."""
    compiled = jax.jit(function)

    def run(*arguments):
        with CPU_PROGRAM, jax.threefry_partitionable(False):
            return compiled(*arguments)

    return run
