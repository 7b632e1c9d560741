import numpy as np

from vdiff_jax.stitching import moving_rig


def test_smoothing_keeps_a_constant_path_and_smooths_a_shaky_one():
    steady = np.tile(np.eye(3), (12, 1, 1, 1))
    steady[:, 0, 0, 2] = 10.0
    np.testing.assert_allclose(moving_rig.smooth_paths(steady, [(300, 200)], 1.5), steady, atol=1e-3)
    shaky = steady.copy()
    shaky[:, 0, 0, 2] += np.random.default_rng(0).normal(0, 1, 12)
    calmed = moving_rig.smooth_paths(shaky, [(300, 200)], 1.5)
    assert np.diff(calmed[:, 0, 0, 2], 2).std() < 0.3 * np.diff(shaky[:, 0, 0, 2], 2).std()


def test_a_fast_pan_is_no_outlier_and_an_outlier_is_replaced():
    pan = np.tile(np.eye(3), (9, 1, 1, 1))
    pan[:, 0, 0, 2] = 12.0 * np.arange(9)
    np.testing.assert_allclose(moving_rig.smooth_paths(pan, [(300, 200)], 1.0), pan, atol=1e-3)
    leaping = pan.copy()
    leaping[4, 0, 1, 2] += 30
    np.testing.assert_allclose(moving_rig.smooth_paths(leaping, [(300, 200)], 1.0), pan, atol=1e-3)
