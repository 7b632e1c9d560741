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


def corrupted(name, clip, seed=5):
    task = TASKS[name]
    if task.corrupt is None:
        return task.corrupt_on_host(np.random.default_rng(seed), np.asarray(clip))
    return task.corrupt(jax.random.key(seed), clip)


@pytest.mark.parametrize("name", TASKS)
def test_network_overfits(name, clip):
    task = TASKS[name]
    observation = corrupted(name, clip)
    first, last = overfitted(observation, rgb_to_ycbcr(clip), task.project)
    assert last < 0.35 * first, f"{name}: {first:.5f} -> {last:.5f}"


def test_denoise_tells_the_noise_it_added():
    """White, a sensor's, correlated and film's, for each brightness by itself where it is told so."""
    steps = jnp.repeat(jnp.array([0.25, 0.5, 0.75]), 32).reshape(1, 1, 96, 1)
    flat = jnp.broadcast_to(steps, (4, 64, 96, 3))
    corrupt = jax.jit(TASKS["denoise"].corrupt)
    told_apart = 0
    for seed in range(24):
        observation = corrupt(jax.random.key(seed), flat)
        error = np.square(observation.values - rgb_to_ycbcr(flat)).reshape(4, 64, 3, 32, 3)
        told = np.square(observation.sigma).reshape(4, 64, 3, 32, 3)
        told_apart += np.ptp(told[0, 0, :, 0, 0]) > 1e-6
        measured, expected = (np.sqrt(x.mean(axis=(0, 1, 2, 3))) for x in (error, told))
        np.testing.assert_allclose(expected, measured, rtol=0.25, atol=3e-3)
    assert 0 < told_apart < 24


def test_noise_under_a_codec_is_told_as_the_error_that_is_left(clip):
    large = jnp.repeat(jnp.repeat(clip, 4, 1), 4, 2)
    for seed in range(3):
        observation = TASKS["denoise"].corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left = np.sqrt(np.mean(np.square(observation.values - rgb_to_ycbcr(large)), axis=(0, 1, 2)))
        np.testing.assert_allclose(observation.sigma[0, 0, 0], left, rtol=0.4)


def test_deblock_tells_an_error_that_grows_with_the_one_left(clip):
    large = jnp.repeat(jnp.repeat(clip, 4, 1), 4, 2)
    left, told = [], []
    for seed in range(24):
        observation = TASKS["deblock"].corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left.append(np.abs(observation.values - rgb_to_ycbcr(large))[..., 0].mean())
        told.append(observation.sigma[..., 0].mean())
    assert np.corrcoef(np.log(left), np.log(told))[0, 1] > 0.4


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
