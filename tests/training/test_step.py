"""A step of training: in parts = at once, nearly the same in bfloat16, and every task's batch fits."""

import dataclasses
from pathlib import Path

import imageio.v3 as iio
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax import config, sharding, tasks, weights
from vdiff_jax.config import Data, Train
from vdiff_jax.errors import DivergedError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples, shapes, stack
from vdiff_jax.training.loop import Run
from vdiff_jax.training.step import initial, make_step

DATA = Data(frames=2, patch=16, batch=4)
TRAIN = Train(size="tiny", unroll=2, warmup=0)
PHOTOS = [np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)]


def batch(tasks: dict[str, float], size: int = 4):
    examples = Examples(Split(PHOTOS, []), DATA, tasks, seed=0)
    return stack([examples(n) for n in range(size)])


def stepped(train: Train, examples):
    definition, state = initial(train)
    step = sharding.data_parallel(make_step(definition, train), donate=())
    state, metrics = step(sharding.replicate(state), jax.tree.map(lambda leaf: leaf[None], examples))
    return sharding.first(state), sharding.first(metrics)


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


def test_bfloat16_is_near_and_leaves_parameters_alone(noisy, at_once):
    state, metrics = stepped(dataclasses.replace(TRAIN, compute="bfloat16"), noisy)
    np.testing.assert_allclose(metrics["loss"], at_once[1]["loss"], rtol=0.02)
    assert metrics["loss"] != at_once[1]["loss"]
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(np.float32)}
    assert [leaf.shape for leaf in jax.tree.leaves(state.params)] == [
        leaf.shape for leaf in jax.tree.leaves(at_once[0].params)
    ]


def test_a_batch_of_all_tasks_stacks_and_one_of_each_is_as_foretold():
    several = batch(dict.fromkeys(tasks.trained(), 1.0), size=12)
    assert several.observation.reduction.shape == (12, 2, 3)
    for name in tasks.trained():
        made = batch({name: 1.0}, size=1)
        foretold = shapes(DATA)
        assert jax.tree.map(lambda leaf: leaf.shape[1:], made) == jax.tree.map(lambda leaf: leaf.shape, foretold)


def test_superres_trains_with_its_projection():
    _, metrics = stepped(dataclasses.replace(TRAIN, tasks={"superres": 1.0}), batch({"superres": 1.0}, size=1))
    assert np.isfinite(metrics["loss"])


def test_a_configuration_for_each_task_and_those_of_the_weights_for_all():
    found = {path.stem: set(config.load(path).train.tasks) for path in Path("configs").glob("*.toml")}
    assert found["fast"] == set(tasks.trained())
    # Superres and deblock have weights of their own at this size.
    assert found["base"] == set(tasks.trained()) - {"superres", "deblock"}
    assert all(found[name] == {name} for name in tasks.trained())


def test_a_run_may_begin_from_weights(tmp_path):
    for n in range(2):
        iio.imwrite(tmp_path / f"{n}.png", PHOTOS[0])
    _, state = initial(dataclasses.replace(TRAIN, seed=5))
    weights.save(tmp_path / "begun.safetensors", SIZES["tiny"], state.params, {})
    values = config.Config(data=DATA, train=TRAIN)
    run = Run(values, tmp_path / "run", tmp_path, tmp_path / "cache", init_from=str(tmp_path / "begun.safetensors"))
    for params in (run.state.params, run.state.average):
        jax.tree.map(np.testing.assert_array_equal, sharding.first(params), state.params)
    run.checkpoints.close()


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_last_good_checkpoint(tmp_path):
    values = config.Config(data=DATA, train=dataclasses.replace(TRAIN, steps=4, checkpoint_every=1, evaluate_every=9))
    for n in range(2):
        iio.imwrite(tmp_path / f"{n}.png", PHOTOS[0])
    run = Run(values, tmp_path / "run", tmp_path, tmp_path / "cache")
    kept = run._save

    def save_then_spoil(step, score):
        kept(step, score)
        run.checkpoints.wait()
        if step == 2:
            run.state = run.state._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, run.state.params))

    run._save = save_then_spoil
    with pytest.raises(DivergedError, match=r"loss is nan at step 3.*checkpoints/2 \(step 2\)"):
        run.train()
