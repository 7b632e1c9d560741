"""Push-pull filling on the device: the properties that the host's form has too (tests/stream/test_push_pull.py)."""

import jax
import numpy as np

from vdiff_jax.preprocess.push_pull import fill

compiled = jax.jit(fill)


def test_known_samples_stay_and_unknown_ones_lie_between_them():
    rng = np.random.default_rng(0)
    image = rng.uniform(0.2, 0.6, (13, 18, 1)).astype(np.float32)
    known = (rng.random((13, 18, 1)) < 0.3).astype(np.float32)
    filled = np.asarray(compiled(np.where(known, image, 9).astype(np.float32), known))
    np.testing.assert_allclose(filled[known > 0], image[known > 0], rtol=1e-6)
    assert filled.min() >= 0.2
    assert filled.max() <= 0.6


def test_nothing_known_is_grey():
    np.testing.assert_array_equal(compiled(np.ones((13, 18, 1), np.float32), np.zeros((13, 18, 1), np.float32)), 0.5)
