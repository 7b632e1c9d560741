"""Inpainting examples: nothing is known in holes, or what propagation guessed, with its expected error."""

import jax
import numpy as np
import pytest

from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.inpaint import TASK


@pytest.fixture(scope="module")
def examples(clip):
    """Thirty observations of the clip, as NumPy arrays: JAX would compile each selection of samples anew."""
    corrupt = jax.jit(TASK.corrupt)
    return [jax.tree.map(np.asarray, corrupt(jax.random.key(seed), clip)) for seed in range(30)]


def test_nothing_is_known_in_holes(examples):
    for observation in examples:
        assert set(np.unique(observation.known)) <= {0.0, 1.0}
        assert (observation.values[observation.known == 0] == 0).all()


def test_propagated_samples_have_about_their_true_error(examples, clip):
    stated, true, truth = [], [], np.asarray(rgb_to_ycbcr(clip))
    for observation in examples:
        propagated = (observation.sigma > observation.sigma.min()) & (observation.known == 1)
        if propagated.any():
            stated.append(np.sqrt(np.mean(np.square(observation.sigma[propagated]))))
            true.append(np.sqrt(np.mean(np.square(observation.values - truth)[propagated])))
    assert 14 <= len(true) <= 28  # those with small holes, and half of the others
    assert 0.6 < np.median(np.array(stated) / true) < 1.6
    assert np.corrcoef(np.log(stated), np.log(true))[0, 1] > 0.7
