"""Each task's observation, and that the network learns it through the one rollout."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import INPUTS, start
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks import TASKS

CONFIG = NetworkConfig(widths=(8, 8), encoder=(0, 0), decoder=(0, 1), reach=(1, 1))
STEPS = 200


@pytest.fixture(scope="module")
def clip():
    """A coloured square that slides over a shaded ground: 4 frames of 16×16."""
    y, x = np.mgrid[:16, :16] / 16
    frames = []
    for t in range(4):
        frame = np.stack([0.3 + 0.4 * x, 0.6 - 0.3 * y, 0.4 + 0.2 * x * y], axis=-1)
        frame[5:11, 2 + 2 * t : 8 + 2 * t] = [0.9, 0.2, 0.3]
        frames.append(frame)
    return jnp.asarray(np.stack(frames), jnp.float32)


@partial(jax.jit, static_argnames="project")
def overfitted(observation, truth, project):
    """The mean squared error before training and after `STEPS` steps on one clip."""
    definition, params = nnx.split(Network(CONFIG, inputs=INPUTS, rngs=nnx.Rngs(0)))
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


@pytest.mark.parametrize("name", TASKS)
def test_network_overfits(name, clip):
    task = TASKS[name]
    observation = task.corrupt(jax.random.key(5), clip)
    first, last = overfitted(observation, rgb_to_ycbcr(clip), task.project)
    assert last < 0.35 * first, f"{name}: {first:.5f} -> {last:.5f}"


def test_denoise_tells_the_noise_it_added(clip):
    flat = jnp.full((4, 64, 64, 3), 0.5)
    for seed in range(3):
        observation = TASKS["denoise"].corrupt(jax.random.key(seed), flat)
        measured = jnp.std(observation.values - rgb_to_ycbcr(flat), axis=(0, 1, 2))
        np.testing.assert_allclose(observation.sigma[0, 0, 0], measured, rtol=0.2, atol=2e-3)


def test_inpaint_knows_nothing_in_holes(clip):
    for seed in range(6):
        observation = TASKS["inpaint"].corrupt(jax.random.key(seed), clip)
        assert set(np.unique(observation.known)) <= {0.0, 1.0}
        assert (observation.values[observation.known == 0] == 0).all()


def test_superres_projection_meets_the_small_clip(clip):
    task = TASKS["superres"]
    observation = task.corrupt(jax.random.key(0), clip)
    z = observation.values + 0.1
    for _ in range(8):
        z = task.project(z, observation)
    from vdiff_jax.preprocess.resample import reduce

    np.testing.assert_allclose(reduce(z, 2), observation.reduced, atol=2e-3)


def test_colorize_knows_luma_and_one_frames_chroma(clip):
    known = TASKS["colorize"].corrupt(jax.random.key(0), clip).known
    assert (known[..., 0] == 1).all()
    assert (known[0] == 1).all()
    assert (known[1:, ..., 1:] == 0).all()


def test_interpolate_knows_every_second_frame(clip):
    known = TASKS["interpolate"].corrupt(jax.random.key(0), clip).known
    np.testing.assert_array_equal(known.max(axis=(1, 2, 3)), [1, 0, 1, 0])
