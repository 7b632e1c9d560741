"""Examples: the same from the same number, of the right shape, with the motion that they were given."""

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
from vdiff_jax.training.synthetic import clip_of_photo, clip_of_video

DATA = Data(frames=3, patch=32, batch=2, threads=1)


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


def test_coded_examples_are_the_same_each_time_and_stored_as_420(split):
    coded = [Examples(split, DATA, {"deblock": 1.0}, seed=3)(4) for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, *coded)
    for clip in (coded[0].clip, coded[0].observation.values):
        np.testing.assert_array_equal(clip[:, ::2, ::2, 1:], clip[:, 1::2, 1::2, 1:])


def test_a_codec_sees_more_than_the_example(split, monkeypatch):
    task, seen = deblock.TASK, []

    def corrupt(rng, clip):
        seen.append((clip, task.corrupt_on_host(rng, clip)))
        return seen[-1][1]

    monkeypatch.setattr(deblock, "TASK", dataclasses.replace(task, corrupt_on_host=corrupt))
    observation, _ = Examples(split, DATA, {"deblock": 1.0}, seed=3)(4)
    clip, whole = seen[0]
    assert clip.shape == (3, 32 + 2 * MARGIN, 32 + 2 * MARGIN, 3)
    np.testing.assert_array_equal(observation.values, whole.values[:, MARGIN:-MARGIN, MARGIN:-MARGIN])


def test_shapes_and_ranges(examples):
    for n in range(6):
        observation, clip = examples(n)
        assert clip.shape == observation.values.shape == (3, 32, 32, 3)
        assert observation.velocity.shape == (3, 8, 8, 4)
        assert 0 <= clip.min() <= clip.max() <= 1
        assert observation.known.min() >= 0
        assert observation.sigma.min() >= 0


def test_two_processes_share_each_batch(examples):
    together = next(iter(batches(examples, DATA)))
    parts = [next(iter(batches(examples, DATA, process=p, processes=2))) for p in range(2)]
    for n, part in enumerate(parts):
        np.testing.assert_array_equal(part.clip[0], together.clip[n])


def test_iterator_goes_on_where_it_was(examples):
    iterator = iter(batches(examples, DATA))
    next(iterator)
    state = iterator.get_state()
    expected = next(iterator)
    other = iter(batches(examples, DATA))
    other.set_state(state)
    np.testing.assert_array_equal(next(other).clip, expected.clip)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priorities of their own")
def test_threads_that_prepare_batches_give_way_to_the_step(split):
    def own():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    class Noted(Examples):
        def __call__(self, index):
            seen.append(own())
            return super().__call__(index)

    before, seen = own(), []
    next(iter(batches(Noted(split, DATA, {"denoise": 1.0}, seed=3), DATA)))
    assert set(seen) == {min(19, before + 19)}
    assert own() == before


def test_photographs_move_and_videos_are_cut_from_one_place(split):
    rng = np.random.default_rng(1)
    clips = [clip_of_photo(rng, *split.photos, frames=4, patch=32, soft=0.4) for _ in range(8)]
    assert all(clip.shape == (4, 32, 32, 3) for clip in clips)
    moving = [np.abs(np.diff(clip.astype(float), axis=0)).mean() > 1 for clip in clips]
    assert sum(moving) >= 4
    sharp, soft = (
        clip_of_photo(np.random.default_rng(2), *split.photos, frames=2, patch=32, soft=share) for share in (0.0, 1.0)
    )
    assert (
        np.abs(np.diff(soft.astype(float), axis=2)).mean() < 0.7 * np.abs(np.diff(sharp.astype(float), axis=2)).mean()
    )
    still = np.repeat(np.arange(64 * 80, dtype=np.uint8).reshape(1, 64, 80, 1), 5, axis=0).repeat(3, axis=-1)
    clip = clip_of_video(np.random.default_rng(5), still, frames=3, patch=32)
    assert clip.shape == (3, 32, 32, 3)
