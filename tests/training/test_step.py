"""A training step (step, precision): in parts = at once, nearly the same in bfloat16, any task's batch fits it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vdiff_jax import sharding, tasks
from vdiff_jax.config import Train
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples, example_shapes, stack
from vdiff_jax.training.step import in_parts, initial, make_step, optimiser

PHOTOS = [np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)]


def stepped(train: Train, *batches) -> list:
    """The state and metrics after one step on each of the batches, compiled once; all start from the same state."""
    definition, state = initial(train)
    step = sharding.data_parallel(make_step(definition, train))
    return [sharding.unreplicate(step(sharding.replicate(state), sharding.shard(examples))) for examples in batches]


@pytest.fixture(scope="module")
def of_each_task(small):
    """An example of each task, eight times."""
    split = Split(PHOTOS, [])
    examples = {name: Examples(split, small.data, {name: 1.0}, seed=0)(0) for name in tasks.trained()}
    return {name: stack([example] * small.data.batch) for name, example in examples.items()}


@pytest.fixture(scope="module")
def steps(small, of_each_task):
    """What a step gives for examples of denoise, and for those of superres."""
    return stepped(small.train, of_each_task["denoise"], of_each_task["superres"])


def test_bfloat16_gives_nearly_the_same_loss_and_float32_parameters(small, of_each_task, steps):
    [(state, metrics)] = stepped(dataclasses.replace(small.train, compute="bfloat16"), of_each_task["denoise"])
    expected_state, expected = steps[0]
    np.testing.assert_allclose(metrics["loss"], expected["loss"], rtol=0.02)
    assert metrics["loss"] != expected["loss"]
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(np.float32)}
    assert [leaf.shape for leaf in jax.tree.leaves(state.params)] == [
        leaf.shape for leaf in jax.tree.leaves(expected_state.params)
    ]


def test_examples_of_all_tasks_stack_and_have_the_shapes_foretold(small, of_each_task):
    for made in of_each_task.values():
        made = jax.tree.map(lambda leaf: leaf.shape[1:], made)
        assert made == jax.tree.map(lambda leaf: leaf.shape, example_shapes(small.data))
    several = jax.tree.map(lambda *leaves: np.concatenate(leaves), *of_each_task.values())
    assert several.observation.reduction.shape == (small.data.batch * len(tasks.trained()), 2, 3)


def test_superres_trains_with_its_projection(of_each_task, steps):
    assert of_each_task["superres"].observation.reduction.max() > 1
    assert np.isfinite(steps[1][1]["loss"])


def test_in_parts_gives_the_same_gradient(of_each_task):
    """Every loss is a mean over the clips (see test_losses), so a mean over parts is the mean over the batch."""
    rng = np.random.default_rng(0)
    batch = jax.tree.map(lambda leaf: rng.random(leaf.shape, np.float32), of_each_task["denoise"])
    params = nnx.State({"weights": jnp.linspace(-1, 1, 3)})

    def gradient_of(params, batch):
        return jax.value_and_grad(lambda own: jnp.mean(jnp.tanh(batch.clip @ own["weights"]) ** 2))(params)

    expected, found = (jax.tree.leaves(jax.jit(in_parts(gradient_of, parts))(params, batch)) for parts in (1, 4))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_muon_updates_kernels_by_nearly_orthogonal_matrices():
    params = {"kernel": np.ones((3, 3, 2, 4), np.float32), "bias": np.ones(4, np.float32)}
    rng = np.random.default_rng(0)
    gradient = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape, np.float32), params)
    muon = optimiser(Train(optimiser="muon", warmup=0, learning_rate=1.0))
    updates = jax.jit(lambda *trees: muon.update(trees[0], muon.init(trees[1]), trees[1])[0])(gradient, params)
    before, after = (np.linalg.svd(np.reshape(tree["kernel"], (18, 4)))[1] for tree in (gradient, updates))
    assert after.max() / after.min() < min(1.7, before.max() / before.min())
    assert updates["bias"].shape == (4,)
