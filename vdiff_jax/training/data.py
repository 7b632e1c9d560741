"""Training examples through grain: a clean clip, corrupted on the fly, and what is known of it."""

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
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.velocity import velocity
from vdiff_jax.tasks.task import Corrupt
from vdiff_jax.training import balance
from vdiff_jax.training.cache import Split
from vdiff_jax.training.synthetic import clip_of_photo, clip_of_video, turned

SUBSAMPLED = 0.5
"""The share of clips whose chroma is stored as 4:2:0."""


class Example(NamedTuple):
    """What is known of a clip, and the clip: Y'CbCr in [0, 1]."""

    observation: Observation
    clip: Float[Array, "*b t h w 3"]


class Draw(NamedTuple):
    """What an example is made of: its task, and a photograph and another to move across it, or a shot."""

    task: int
    photos: tuple[int, int] | None
    shot: int | None


class Examples:
    """Example number n, a function of the seed and n alone: the same on any number of devices and processes."""

    def __init__(self, split: Split, data: Data, tasks: dict[str, float], *, seed: int):
        self._data, self._seed = data, seed
        long = [video for video in split.videos if len(video) >= data.frames]
        self._photos, self._shots = split.photos, long or split.videos
        self._names = list(tasks)
        self._shares = np.array(list(tasks.values())) / sum(tasks.values())
        self._tasks = {name: table.find(name) for name in tasks}
        self._corrupt = {name: _compiled(_keyed(task.corrupt)) for name, task in self._tasks.items() if task.corrupt}
        self._stored = {name: _compiled(task.stored) for name, task in self._tasks.items()}
        of_photos = {name: n for name, n in data.balance.items() if name in ("brightness", "texture")}
        still = [balance.measure(photo[None]) if of_photos else {} for photo in split.photos]
        self._photo_weights = balance.weights(still, of_photos)
        self._weights = balance.weights(self._measured if data.balance else [{}] * len(self._shots), data.balance)

    @functools.cached_property
    def _measured(self) -> list[dict[str, float]]:
        return [balance.measure(shot) for shot in self._shots]

    def __call__(self, index: int) -> Example:
        draw = self.draw(index)
        rng = np.random.default_rng([self._seed, index])
        task = self._tasks[self._names[draw.task]]
        on_host = task.corrupt_on_host if rng.random() < task.share_on_host else None
        margin = task.margin if on_host else 0
        clip = np.asarray(self._clean(rng, draw, self._data.patch + 2 * margin), np.float32) / 255
        with jax.default_device(jax.local_devices(backend="cpu")[0]):  # where motion is measured
            if on_host:
                observation, truth = on_host(rng, clip), subsampled(jnp.asarray(_truth(clip)))
            else:
                observation, truth = self._compiled(task.name, rng, index, clip)
        observation, truth = jax.tree.map(np.asarray, (observation, truth))
        observation, truth = jax.tree.map(lambda leaf: _within(leaf, margin), (observation, truth))
        seen = [
            FlowFrame.from_luma(luma, known, time=float(time))
            for luma, known, time in zip(observation.values[..., 0], observation.known[..., 0], observation.time)
        ]
        reduction = np.ones((len(clip), 3), np.float32) if observation.reduction is None else observation.reduction
        return Example(dataclasses.replace(observation, velocity=velocity(seen), reduction=reduction), truth)

    def _compiled(self, name: str, rng: np.random.Generator, index: int, clip: Float[np.ndarray, "t h w 3"]):
        """What is known of the clip, and the clip as it should come out, by what was compiled."""
        observation, truth = self._corrupt[name](self._seed, index, clip), _truth(clip)
        return self._stored[name](observation, truth) if rng.random() < SUBSAMPLED else (observation, truth)

    def draw(self, index: int) -> Draw:
        """What example number `index` is made of."""
        rng = np.random.default_rng([self._seed, index, 1])
        task = int(rng.choice(len(self._names), p=self._shares))
        if self._photos and (not self._shots or rng.random() < self._data.photos):
            first, second = rng.choice(len(self._photos), 2, p=self._photo_weights)
            return Draw(task, (int(first), int(second)), None)
        return Draw(task, None, int(rng.choice(len(self._shots), p=self._weights)))

    def intended(self) -> dict[str, dict[str, tuple[float, float]]]:
        """For each property and kind of shot, the share of it in the data and the share that is to be drawn."""
        if not self._shots:
            return {}
        there = balance.shares(self._measured, np.ones(len(self._shots)))
        drawn = balance.shares(self._measured, self._weights)
        return {name: {kind: (there[name][kind], drawn[name][kind]) for kind in there[name]} for name in there}

    def drawn(self, first: int, last: int) -> dict[str, float]:
        """What examples first to last - 1 were made of, as shares, such as "drawn/motion/still": of the shots."""
        draws = [self.draw(index) for index in range(first, last)]
        counts = np.bincount([d.shot for d in draws if d.shot is not None], minlength=len(self._shots)).astype(float)
        tasks = np.bincount([d.task for d in draws], minlength=len(self._names)) / max(1, len(draws))
        table = {f"drawn/task/{name}": float(share) for name, share in zip(self._names, tasks)}
        table["drawn/photos"] = sum(d.photos is not None for d in draws) / max(1, len(draws))
        if counts.any():
            for name, kinds in balance.shares(self._measured, counts).items():
                table |= {f"drawn/{name}/{kind}": share for kind, share in kinds.items()}
        return table

    def _clean(self, rng: np.random.Generator, draw: Draw, patch: int) -> UInt8[np.ndarray, "t p p 3"]:
        size = {"frames": self._data.frames, "patch": patch}
        if draw.photos is not None:
            photos = (self._photos[n] for n in draw.photos)
            return turned(rng, clip_of_photo(rng, *photos, soft=self._data.soft, **size))
        return turned(rng, clip_of_video(rng, self._shots[draw.shot], **size))


def batches(examples: Examples, data: Data, *, process: int = 0, processes: int = 1) -> grain.IterDataset:
    """This process's part of each global batch, prepared ahead by `data.threads` threads.

    Its iterator's state counts batches: it fits any number of processes. OpenCV is left one thread, in the whole
    process: its others would wait for work busily, and give way to nothing.
    """
    cv2.setNumThreads(1)
    numbers = grain.MapDataset.range(2**40)[process::processes]
    own = numbers.map(lambda number: _aside(examples, number)).batch(data.batch // processes, batch_fn=stack)
    return own.to_iter_dataset(grain.ReadOptions(num_threads=data.threads, prefetch_buffer_size=4))


_thread = threading.local()
_YIELD = 19
"""By how much less pressing than the training step the threads that prepare batches are (`man 7 sched`, nice)."""


def _aside(examples: Examples, number: int) -> Example:
    """The example, made in a thread that gives way to the step, whose threads wait for the slowest of them."""
    if sys.platform == "linux" and not hasattr(_thread, "gives_way"):
        _thread.gives_way = True
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _YIELD))
    return examples(number)


def shapes(data: Data) -> Example:
    """What an example's arrays are, whatever its task, without making one."""
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
    """Examples of one size as a batch."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *examples)


def _within(leaf: np.ndarray, margin: int) -> np.ndarray:
    """The pictures of an example without the margin around them; what is no picture as it is."""
    return leaf[:, margin:-margin, margin:-margin] if margin and leaf.ndim == 4 else leaf


def _truth(clip: Float[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t h w 3"]:
    rows = cv2.transform(clip.reshape(len(clip), -1, 3), np.column_stack([from_rgb("bt601"), [0, 0.5, 0.5]]))
    return rows.reshape(clip.shape)


def _keyed(corrupt: Corrupt) -> Callable[[int, int, np.ndarray], Observation]:
    """The corruption of example `index`, by the seed and it alone."""
    return lambda seed, index, clip: corrupt(jax.random.fold_in(jax.random.key(seed), index), clip)


def _compiled(function: Callable) -> Callable:
    """The function compiled, for one thread at a time and one device: randomness that many can share costs more."""
    compiled = jax.jit(function)
    lock = threading.Lock()

    def run(*arguments):
        with lock, jax.threefry_partitionable(False):
            return compiled(*arguments)

    return run
