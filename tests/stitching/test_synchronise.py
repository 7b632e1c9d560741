import numpy as np
import pytest

from vdiff_jax.stitching.features import Features
from vdiff_jax.stitching.synchronise import find_offset, offset_from_features


def _signal(times):
    rng = np.random.default_rng(0)
    rates, phases = rng.uniform(0.3, 4, (40, 6)), rng.uniform(0, 6.28, (40, 6))
    return np.sin(times[:, None, None] * rates * 2 + phases).sum(axis=1)


@pytest.mark.parametrize(
    ("rate", "other", "offset"), [(25, 25, 0.28), (30, 25, -0.4), (25, 29.97, 0.61), (25, 50, 0.0)]
)
def test_the_offset_is_found_within_a_tenth_of_a_frame(rate, other, offset):
    first, second = np.arange(5 * rate) / rate, np.arange(int(4 * other)) / other
    noise = np.random.default_rng(1).normal(0, 0.5, (len(second), 6))
    found = find_offset(_signal(first), first, _signal(second + offset) + noise, second)
    assert found.found
    assert found.seconds == pytest.approx(offset, abs=0.1 / rate)


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_slow_changes_do_not_blur_the_offset(seed):
    """Most changes are slow and differ a little between the cameras; a quick one is common to both."""
    rng = np.random.default_rng(seed)
    times, offset, cells = np.arange(28) / 25, rng.uniform(-0.2, 0.2), 12
    shared = 20 * rng.normal(size=(2, cells))
    rates, phases = rng.uniform(20, 45, (5, cells)), rng.uniform(0, 6.28, (5, cells))

    def seen(at):
        slow = np.stack([at, at**2], axis=1) @ (shared + 4 * rng.normal(size=(2, cells)))
        quick = 0.3 * np.sin(at[:, None, None] * rates + phases).sum(axis=1)
        return slow + quick + rng.normal(0, 0.1, slow.shape)

    found = find_offset(seen(times), times, seen(times + offset), times)
    assert found.seconds == pytest.approx(offset, abs=0.15 / 25)


def test_unrelated_signals_have_no_offset():
    rng = np.random.default_rng(0)
    times = np.arange(100) / 25
    found = find_offset(rng.normal(size=(100, 30)), times, rng.normal(size=(100, 30)), times)
    assert not found.found


@pytest.mark.parametrize("lag", [-3, 0, 5])
def test_cameras_that_turn_together_share_one_homography_only_at_equal_moments(lag):
    rng = np.random.default_rng(0)
    things, words = rng.uniform([100, 0], [200, 200], (80, 2)), np.abs(rng.normal(size=(80, 128)))
    words = (words / np.linalg.norm(words, axis=1, keepdims=True)).astype(np.float32)
    shake = np.cumsum(rng.normal(0, 8, (40, 2)), axis=0)

    def moments(start, where):
        return [
            (0.1 * n, Features(points=things + where + shake[10 + start + n], descriptors=words)) for n in range(20)
        ]

    found = offset_from_features(moments(0, [0, 0]), moments(lag, [-90, 4]), step=0.1)
    assert found.found
    assert found.seconds == pytest.approx(0.1 * lag, abs=1e-6)
