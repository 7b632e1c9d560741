"""Examples: functions of their number, of the right shape and range, batched by any number of processes."""

import dataclasses
import os
import sys
import threading

import jax
import numpy as np
import pytest

from vdiff_jax.config import Data
from vdiff_jax.tasks import deblock
from vdiff_jax.tasks.deblock import MARGIN
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples, batches

DATA = Data(frames=2, patch=16, batch=2, threads=1)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 255, (120, 140, 3), dtype=np.uint8) for _ in range(2)]
    return Split(photos, [rng.integers(0, 255, (9, 64, 80, 3), dtype=np.uint8)])


@pytest.fixture(scope="module")
def examples(split):
    return Examples(split, DATA, {"denoise": 1.0, "inpaint": 1.0}, seed=3)


def test_example_is_a_function_of_its_number(split, examples):
    again = Examples(split, DATA, {"denoise": 1.0, "inpaint": 1.0}, seed=3)
    for n in (0, 5):
        jax.tree.map(np.testing.assert_array_equal, examples(n), again(n))
    assert np.abs(examples(0).clip - examples(1).clip).max() > 0


def test_coded_examples_are_reproducible_and_have_420_chroma(split):
    coded = [Examples(split, DATA, {"deblock": 1.0}, seed=3)(4) for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, *coded)
    for clip in (coded[0].clip, coded[0].observation.values):
        np.testing.assert_array_equal(clip[:, ::2, ::2, 1:], clip[:, 1::2, 1::2, 1:])


def test_the_codec_gets_a_margin_that_the_example_has_not(split, monkeypatch):
    task, seen = deblock.TASK, []

    def corrupt(rng, clip):
        seen.append((clip, task.corrupt_on_host(rng, clip)))
        return seen[-1][1]

    monkeypatch.setattr(deblock, "TASK", dataclasses.replace(task, corrupt_on_host=corrupt))
    observation, _ = Examples(split, DATA, {"deblock": 1.0}, seed=3)(4)
    clip, whole = seen[0]
    assert clip.shape == (2, 16 + 2 * MARGIN, 16 + 2 * MARGIN, 3)
    np.testing.assert_array_equal(observation.values, whole.values[:, MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_shapes_and_ranges(examples):
    for n in range(6):
        observation, clip = examples(n)
        assert clip.shape == observation.values.shape == (2, 16, 16, 3)
        assert observation.velocity.shape == (2, 4, 4, 4)
        assert 0 <= clip.min() <= clip.max() <= 1
        assert observation.known.min() >= 0
        assert observation.sigma.min() >= 0


def test_two_processes_share_each_batch(examples):
    together = next(iter(batches(examples, DATA)))
    parts = [next(iter(batches(examples, DATA, process=p, processes=2))) for p in range(2)]
    for n, part in enumerate(parts):
        np.testing.assert_array_equal(part.clip[0], together.clip[n])


def test_a_restored_iterator_continues_with_the_next_batch(examples):
    iterator = iter(batches(examples, DATA))
    next(iterator)
    state = iterator.get_state()
    expected = next(iterator)
    other = iter(batches(examples, DATA))
    other.set_state(state)
    np.testing.assert_array_equal(next(other).clip, expected.clip)


def test_threads_that_prepare_batches_have_a_low_priority(split):
    def own():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    class Recording(Examples):
        def __call__(self, index):
            seen.append(own())
            return super().__call__(index)

    before, seen = own(), []
    next(iter(batches(Recording(split, DATA, {"denoise": 1.0}, seed=3), DATA)))
    # Elsewhere, threads have no priorities of their own.
    assert set(seen) == ({min(19, before + 19)} if sys.platform == "linux" else {before})
    assert own() == before
