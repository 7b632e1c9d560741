"""Each task's observation, and that the network learns it through the one rollout."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from vdiff_jax import tasks
from vdiff_jax.corruption.noise import quantise
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import INPUTS, start
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.preprocess.resample import enlarge, reduce
from vdiff_jax.tasks import superres
from vdiff_jax.tasks.projection import project

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


@jax.jit
def overfitted(observation, truth):
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
    task = tasks.find(name)
    if task.corrupt is None:
        return task.corrupt_on_host(np.random.default_rng(seed), np.asarray(clip))
    return task.corrupt(jax.random.key(seed), clip)


@pytest.mark.parametrize("name", tasks.trained())
def test_network_overfits(name, clip):
    observation = corrupted(name, clip)
    first, last = overfitted(observation, rgb_to_ycbcr(clip))
    assert last < 0.35 * first, f"{name}: {first:.5f} -> {last:.5f}"


def test_denoise_tells_the_noise_it_added():
    """White, a sensor's, correlated and film's, for each brightness by itself where it is told so."""
    steps = jnp.repeat(jnp.array([0.25, 0.5, 0.75]), 32).reshape(1, 1, 96, 1)
    flat = jnp.broadcast_to(steps, (4, 64, 96, 3))
    corrupt = jax.jit(tasks.find("denoise").corrupt)
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
        observation = tasks.find("denoise").corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left = np.sqrt(np.mean(np.square(observation.values - rgb_to_ycbcr(large)), axis=(0, 1, 2)))
        np.testing.assert_allclose(observation.sigma[0, 0, 0], left, rtol=0.4)


def test_deblock_tells_an_error_that_grows_with_the_one_left(clip):
    large = jnp.repeat(jnp.repeat(clip, 4, 1), 4, 2)
    left, told = [], []
    for seed in range(24):
        observation = tasks.find("deblock").corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left.append(np.abs(observation.values - rgb_to_ycbcr(large))[..., 0].mean())
        told.append(observation.sigma[..., 0].mean())
    assert np.corrcoef(np.log(left), np.log(told))[0, 1] > 0.4


def test_superres_sees_half_of_the_size_through_a_codec(clip):
    large = jnp.repeat(jnp.repeat(clip, 8, 1), 8, 2)
    truth, left, told = rgb_to_ycbcr(large), [], []
    for seed in range(16):
        observation = tasks.find("superres").corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        assert observation.values.shape == truth.shape
        np.testing.assert_array_equal(observation.reduction, 1)
        left.append(np.sqrt(np.square(observation.values - truth)[..., 0].mean()))
        told.append(observation.sigma[..., 0].mean())
    assert max(left) < 0.2
    assert np.corrcoef(left, told)[0, 1] > 0.7


def test_inpaint_knows_nothing_in_holes(clip):
    for seed in range(6):
        observation = tasks.find("inpaint").corrupt(jax.random.key(seed), clip)
        assert set(np.unique(observation.known)) <= {0.0, 1.0}
        assert (observation.values[observation.known == 0] == 0).all()


def test_superres_projection_meets_the_small_clip(clip):
    for factor in (2, 4):
        small = reduce(rgb_to_ycbcr(clip), factor)
        observation = superres.observe(enlarge(small, factor), factor, jnp.zeros(3), whole=True)
        z = observation.values + 0.1
        for _ in range(8):
            z = project(z, observation)
        np.testing.assert_allclose(reduce(z, factor), small, atol=2e-3)


def test_noisy_or_subsampled_samples_are_not_projected_onto(clip):
    values = enlarge(reduce(rgb_to_ycbcr(clip), 2), 2)
    noisy = superres.observe(values, 2, jnp.full(3, 0.02), whole=True)
    np.testing.assert_array_equal(project(values + 0.1, noisy), values + 0.1)
    stored = superres.observe(values, 2, jnp.zeros(3), whole=False)
    moved = project(values + 0.1, stored) - values
    assert jnp.abs(moved[..., 1:] - 0.1).max() < 1e-6
    assert jnp.abs(moved[..., 0]).max() < 0.1


def test_superres_tells_its_two_factors_and_two_sets_apart(clip):
    large = jax.image.resize(clip, (4, 48, 48, 3), "linear")
    corrupt = jax.jit(tasks.find("superres").corrupt)
    seen = set()
    for seed in range(40):
        observation = corrupt(jax.random.key(seed), large)
        factor, told = int(observation.reduction[0, 0]), float(observation.sigma[0, 0, 0, 0])
        if factor == 1:
            assert min(abs(told - error) for error in superres.ERROR.values()) > 1e-6
        else:
            np.testing.assert_allclose(told, superres.ERROR[factor], rtol=1e-6)
            error = jnp.sqrt(jnp.mean((observation.values - rgb_to_ycbcr(large)) ** 2))
            assert error < 2 * told
        seen.add((factor, bool(observation.reduction[0, 1] == factor)))
    assert seen == {(2, True), (2, False), (4, True), (4, False), (1, True)}


def test_interpolate_knows_every_second_frame(clip):
    known = tasks.find("interpolate").corrupt(jax.random.key(0), clip).known
    np.testing.assert_array_equal(known.max(axis=(1, 2, 3)), [1, 0, 1, 0])


def test_interpolate_is_told_nothing_of_the_noise_that_some_clips_have(clip):
    truth, noisy = rgb_to_ycbcr(quantise(clip)), 0
    for seed in range(12):
        observation = tasks.find("interpolate").corrupt(jax.random.key(seed), clip)
        off = np.asarray(observation.known * (observation.values - truth))
        assert float(observation.sigma.max()) == 0
        assert np.abs(off).max() < 5 * 5 / 255
        noisy += np.abs(off).max() > 1e-5
    assert 3 < noisy < 12


def test_inpaint_is_told_the_error_of_what_was_brought_under_a_mask(clip):
    brought = 0
    for seed in range(12):
        observation = tasks.find("inpaint").corrupt(jax.random.key(seed), clip)
        guessed = (observation.sigma > observation.sigma.min()) & (observation.known == 1)
        if guessed.any():
            brought += 1
            missed = np.abs(observation.values - rgb_to_ycbcr(clip))[guessed].mean()
            assert 0.2 < observation.sigma[guessed].mean() / missed < 10
    assert 2 <= brought <= 10
