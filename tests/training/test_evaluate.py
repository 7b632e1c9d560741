"""Validation: the figures of a batch. `test_run.py` runs it in a training."""

import jax.numpy as jnp
import numpy as np

from vdiff_jax.training.evaluate import _psnr, _side_by_side


def test_psnr_is_the_mean_over_clips():
    truth = jnp.zeros((2, 3, 4, 4, 3))
    clips = truth + jnp.array([0.1, 0.01]).reshape(2, 1, 1, 1, 1)
    assert abs(float(_psnr(clips, truth)) - 30) < 1e-3  # of 20 and 40 dB


def test_the_picture_has_a_row_for_each_clip():
    one, other = (jnp.arange(2.0).reshape(2, 1, 1, 1, 1) + n + jnp.zeros((2, 3, 4, 5, 3)) for n in (0, 10))
    picture = np.asarray(_side_by_side(one, other))
    assert picture.shape == (8, 10, 3)
    assert [picture[r, c, 0] for r, c in ((0, 0), (0, 5), (4, 0), (4, 5))] == [0, 10, 1, 11]
