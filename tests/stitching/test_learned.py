import cv2
import numpy as np
import pytest

from vdiff_jax import weights
from vdiff_jax.stitching import learned


@pytest.fixture(scope="module")
def network():
    return weights.load("fast")


def _picture(height, width):
    noise = np.random.default_rng(0).uniform(40, 215, (height // 6 + 2, width // 6 + 2, 3)).astype(np.float32)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def test_the_network_fills_unseen_pixels_from_other_frames(network):
    """A wide picture slides past a gap, so earlier or later frames show what it hides."""
    wide = _picture(44, 90)
    clip = np.stack([wide[:, 2 * n : 2 * n + 64] for n in range(6)])
    seen = np.ones((6, 44, 64), bool)
    seen[:, :, 20:28] = False
    moments = [(np.where(s[..., None], f, 0), s) for f, s in zip(clip, seen)]
    filled = list(learned.fill(network, iter(moments)))
    assert len(filled) == 6
    for frame, truth, known in zip(filled, clip, seen):
        np.testing.assert_array_equal(frame[known], truth[known])
    errors = [np.abs(f.astype(int) - t)[~known].mean() for f, t, known in zip(filled, clip, seen)]
    # Inpainting sees one frame alone.
    alone = cv2.inpaint(moments[0][0].astype(np.uint8), (~seen[0]).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    alone_error = np.abs(alone.astype(int) - clip[0])[~seen[0]].mean()
    assert max(errors[0], errors[-1]) < 0.5 * alone_error


def test_the_network_moves_moving_things_across_a_bridge(network):
    wide = _picture(44, 90)
    first, second = wide[:, :64], wide[:, 6:70]
    between = learned.bridge(network, first, second, 2)
    for share, frame in zip((2, 4), between):
        truth, inner = wide[:, share : share + 64], (slice(8, -8), slice(8, -8))
        faded = first.astype(float) * (1 - share / 6) + second * (share / 6)
        assert np.abs(frame.astype(int) - truth)[inner].mean() < 0.6 * np.abs(faded - truth)[inner].mean()
