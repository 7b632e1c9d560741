"""A training step (step, precision): in parts = at once, nearly the same in bfloat16, any task's batch fits it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax import sharding, tasks
from vdiff_jax.config import Data, Train
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples, example_shapes, stack
from vdiff_jax.training.step import initial, make_step, optimiser

DATA = Data(frames=2, patch=16, batch=4)
TRAIN = Train(size="tiny", optimiser="adam", unroll=2, warmup=0)  # Adam compiles faster than Muon
PHOTOS = [np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)]


def batch(shares: dict[str, float], size: int = 4):
    examples = Examples(Split(PHOTOS, []), DATA, shares, seed=0)
    return stack([examples(n) for n in range(size)])


def stepped(train: Train, examples):
    definition, state = initial(train)
    step = sharding.data_parallel(make_step(definition, train), donate=())
    state, metrics = step(sharding.replicate(state), sharding.shard(examples))
    return sharding.unreplicate(state), sharding.unreplicate(metrics)


@pytest.fixture(scope="module")
def noisy():
    return batch({"denoise": 1.0})


@pytest.fixture(scope="module")
def at_once(noisy):
    return stepped(TRAIN, noisy)


def test_in_parts_gives_the_same_gradient(noisy, at_once):
    _, metrics = stepped(dataclasses.replace(TRAIN, accumulate=2), noisy)
    for key, value in at_once[1].items():
        np.testing.assert_allclose(metrics[key], value, rtol=1e-5)


def test_bfloat16_gives_nearly_the_same_loss_and_float32_parameters(noisy, at_once):
    state, metrics = stepped(dataclasses.replace(TRAIN, compute="bfloat16"), noisy)
    np.testing.assert_allclose(metrics["loss"], at_once[1]["loss"], rtol=0.02)
    assert metrics["loss"] != at_once[1]["loss"]
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(np.float32)}
    assert [leaf.shape for leaf in jax.tree.leaves(state.params)] == [
        leaf.shape for leaf in jax.tree.leaves(at_once[0].params)
    ]


@pytest.fixture(scope="module")
def of_each_task():
    return {name: batch({name: 1.0}, size=1) for name in tasks.trained()}


def test_examples_of_all_tasks_stack_and_have_the_shapes_foretold(of_each_task):
    for made in of_each_task.values():
        made = jax.tree.map(lambda leaf: leaf.shape[1:], made)
        assert made == jax.tree.map(lambda leaf: leaf.shape, example_shapes(DATA))
    several = jax.tree.map(lambda *leaves: np.concatenate(leaves), *of_each_task.values())
    assert several.observation.reduction.shape == (len(tasks.trained()), 2, 3)


def test_superres_trains_with_its_projection(of_each_task):
    _, metrics = stepped(dataclasses.replace(TRAIN, tasks={"superres": 1.0}), of_each_task["superres"])
    assert np.isfinite(metrics["loss"])


def test_muon_updates_kernels_by_nearly_orthogonal_matrices():
    params = {"kernel": jnp.ones((3, 3, 2, 4)), "bias": jnp.ones(4)}
    gradient = jax.tree.map(lambda leaf: jax.random.normal(jax.random.key(0), leaf.shape), params)
    muon = optimiser(Train(optimiser="muon", warmup=0, learning_rate=1.0))
    updates, _ = muon.update(gradient, muon.init(params), params)
    before, after = (np.linalg.svd(np.reshape(tree["kernel"], (18, 4)))[1] for tree in (gradient, updates))
    assert after.max() / after.min() < min(1.7, before.max() / before.min())
    assert updates["bias"].shape == (4,)
