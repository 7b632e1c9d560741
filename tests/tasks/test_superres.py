"""Super-resolution: the projection meets the small clip, and examples say their factor and error."""

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.preprocess.resample import enlarge, reduce
from vdiff_jax.tasks import superres, superres4
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.superres import TASK


def test_the_projection_meets_the_small_clip(clip):
    again = jax.jit(project)
    for factor in (2, 4):
        small = reduce(rgb_to_ycbcr(clip), factor)
        observation = superres.observe(enlarge(small, factor), factor, jnp.zeros(3), whole=True)
        z = observation.values + 0.1
        for _ in range(8):
            z = again(z, observation)
        np.testing.assert_allclose(reduce(z, factor), small, atol=2e-3)


def test_noisy_or_subsampled_samples_are_not_projected_onto(clip):
    values = enlarge(reduce(rgb_to_ycbcr(clip), 2), 2)
    noisy = superres.observe(values, 2, jnp.full(3, 0.02), whole=True)
    np.testing.assert_array_equal(project(values + 0.1, noisy), values + 0.1)
    stored = superres.observe(values, 2, jnp.zeros(3), whole=False)
    moved = project(values + 0.1, stored) - values
    assert jnp.abs(moved[..., 1:] - 0.1).max() < 1e-6
    assert jnp.abs(moved[..., 0]).max() < 0.1


def test_examples_through_a_codec_have_half_the_size(clip):
    large = jnp.repeat(jnp.repeat(clip, 8, 1), 8, 2)
    truth, left, said = rgb_to_ycbcr(large), [], []
    for seed in range(16):
        observation = TASK.corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        assert observation.values.shape == truth.shape
        np.testing.assert_array_equal(observation.reduction, 1)
        left.append(np.sqrt(np.square(observation.values - truth)[..., 0].mean()))
        said.append(observation.sigma[..., 0].mean())
    assert max(left) < 0.2
    assert np.corrcoef(left, said)[0, 1] > 0.7


def test_examples_say_their_factor_and_whether_they_are_clean(clip):
    large = jax.image.resize(clip, (4, 48, 48, 3), "linear")
    corrupt = jax.jit(TASK.corrupt)
    seen = set()
    for seed in range(40):
        observation = corrupt(jax.random.key(seed), large)
        factor, said = int(observation.reduction[0, 0]), float(observation.sigma[0, 0, 0, 0])
        if factor == 1:
            assert min(abs(said - error) for error in superres.ERROR.values()) > 1e-6
        else:
            np.testing.assert_allclose(said, superres.ERROR[factor], rtol=1e-6)
            error = jnp.sqrt(jnp.mean((observation.values - rgb_to_ycbcr(large)) ** 2))
            assert error < 2 * said
        seen.add((factor, bool(observation.reduction[0, 1] == factor)))
    assert seen == {(2, True), (2, False), (4, True), (4, False), (1, True)}


def test_superres4_reduces_by_four_alone(clip):
    large = jax.image.resize(clip, (4, 48, 48, 3), "linear")
    corrupt = jax.jit(superres4.TASK.corrupt)
    factors = {float(corrupt(jax.random.key(seed), large).reduction[0, 0]) for seed in range(12)}
    assert 4 in factors
    assert factors <= {1, 4}
