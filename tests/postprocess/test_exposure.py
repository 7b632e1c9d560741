import numpy as np

from vdiff_jax.postprocess import exposure


def test_gains_are_found_in_spite_of_clipping_and_movers():
    rng = np.random.default_rng(0)
    base = rng.uniform(20, 300, (3, 40, 90, 3))
    gains = np.array([[1, 1, 1], [0.8, 0.9, 1.1], [1.2, 1.0, 0.7]])
    pictures = np.clip(base[:, None] * gains[None, :, None, None], 0, 255)
    pictures[:, 1, 5:15, 20:30] = 60
    seen = np.zeros((3, 40, 90), bool)
    seen[0, :, :40], seen[1, :, 20:70], seen[2, :, 50:] = True, True, True
    found = exposure.gains(pictures, seen, [(0, 1), (1, 2)])
    np.testing.assert_allclose(1 / found, gains, rtol=0.005)
    np.testing.assert_array_equal(found[0], 1.0)


def test_a_camera_without_colours_is_not_tinted_and_tints_none():
    rng = np.random.default_rng(0)
    coloured = rng.uniform(40, 120, (2, 40, 90, 1)) * np.array([0.7, 1.0, 1.4])
    pictures = np.stack([coloured, 1.1 * coloured.mean(-1, keepdims=True).repeat(3, -1), coloured * [0.9, 1, 1.2]], 1)
    seen = np.zeros((3, 40, 90), bool)
    seen[0, :, :60], seen[1, :, 20:70], seen[2, :, 30:] = True, True, True
    found = exposure.gains(pictures, seen, [(0, 1), (1, 2), (0, 2)])
    np.testing.assert_allclose(found[1], found[1, 0])
    np.testing.assert_allclose(found[0], 1)
    np.testing.assert_allclose(found[2] / found[2, 1], 1 / np.array([0.9, 1, 1.2]), rtol=0.1)
    for order, gain in (([0, 1], 1 / 1.1), ([1, 0], 1.1)):
        of_two = exposure.gains(pictures[:, order], seen[order], [(0, 1)])
        np.testing.assert_allclose(of_two, [[1] * 3, [gain] * 3], rtol=0.1)


def test_highlights_that_a_gain_would_burn_out_are_held_back():
    frame = np.tile(np.linspace(0, 230, 256).astype(np.uint8)[None, :, None], (32, 1, 3))
    held = exposure.table(np.array([1.5, 1.5, 1.0]), [frame])[0]
    exact = np.rint(np.arange(256)[:, None] * [1.5, 1.5, 1.0])
    np.testing.assert_array_equal(held[:119], exact[:119])
    np.testing.assert_array_equal(held[:, 2], exact[:, 2])
    assert held[170, 0] < held[200, 0] < held[229, 0]
    assert (np.diff(held.astype(int), axis=0) >= 0).all()
    plain = exposure.table(np.array([1.5, 1.5, 1.0]), [frame // 2])[0]
    np.testing.assert_array_equal(plain, exact.clip(0, 255))
