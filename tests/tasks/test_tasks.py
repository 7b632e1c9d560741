"""Every task that is trained (tasks/task.py): the network learns it; a new task is one file and one name."""

import dataclasses
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from vdiff_jax import tasks
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import input_channels, start
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.projection import project

CONFIG = NetworkConfig(widths=(8, 8), encoder=((), ()), decoder=((), (8,)), reach=(1, 1))
STEPS = 150


@jax.jit
def overfitted(observation, truth):
    """The mean squared error before training and after `STEPS` steps on one clip."""
    definition, params = nnx.split(Network(CONFIG, inputs=input_channels(CONFIG), rngs=nnx.Rngs(0)))
    tx = optax.adam(3e-3)

    def loss(params):
        _, result = rollout(nnx.merge(definition, params), observation, start(CONFIG, (16, 16)), project=project)
        return jnp.mean((result - truth) ** 2)

    def update(state, _):
        params, opt = state
        value, gradient = jax.value_and_grad(loss)(params)
        updates, opt = tx.update(gradient, opt)
        return (optax.apply_updates(params, updates), opt), value

    _, losses = jax.lax.scan(update, (params, tx.init(params)), length=STEPS)
    return losses[0], losses[-1]


def corrupted(name, clip, seed=5):
    """An observation of the clip; `reduction` is always there, so that all tasks share one compiled function."""
    task = tasks.find(name)
    if task.corrupt is None:
        observation = task.corrupt_on_host(np.random.default_rng(seed), np.asarray(clip))
    else:
        observation = jax.jit(task.corrupt)(jax.random.key(seed), clip)
    if observation.reduction is None:
        observation = dataclasses.replace(observation, reduction=jnp.ones((len(clip), 3)))
    return jax.tree.map(np.asarray, observation)  # not as JAX's arrays, whose types may be weak


@pytest.mark.parametrize("name", tasks.trained())
def test_network_overfits(name, clip):
    first, last = overfitted(corrupted(name, clip), rgb_to_ycbcr(clip))
    assert last < 0.35 * first, f"{name}: {first:.5f} -> {last:.5f}"


def test_the_table_names_every_task_by_its_module():
    for name in tasks.NAMES:
        assert tasks.find(name).name == name


def test_the_table_is_read_without_jax():
    """So that the command line answers `--help` at once."""
    code = "import sys; from vdiff_jax import tasks; print(*tasks.NAMES); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, modules = run.stdout.splitlines()
    assert names.split() == list(tasks.NAMES)
    assert {"jax", "numpy"}.isdisjoint(modules.split())
