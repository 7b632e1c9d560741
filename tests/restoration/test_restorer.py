"""The state before a shot's first frame."""

import imageio.v3 as iio
import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import sample
from vdiff_jax.restoration.restorer import backward
from vdiff_jax.tasks.video import ChunkInputs


@pytest.fixture(scope="module")
def clip():
    """The first frames of the sample, uint8 R'G'B'."""
    return iio.imread(sample.TRUTH, plugin="pyav")[:6, 60:188, 120:280]


def test_the_first_frame_gains_from_those_after_it(clip):
    rng = np.random.default_rng(0)
    noisy = np.clip(np.rint(clip + 25 * rng.normal(size=clip.shape)), 0, 255).astype(np.uint8)

    def error(count: int) -> float:
        repaired = vdiff_jax.repair(noisy[:count], task="denoise", sigma=25)
        return np.square(repaired[0].astype(float) - clip[0]).mean()

    # One frame ahead is seen anyway.
    assert error(6) < 0.85 * error(2)


def test_backward_is_the_clip_reversed():
    frames = np.arange(6, dtype=np.float32)
    velocity = np.stack([np.full((2, 2, 4), n) + np.array([0, 0, 0.5, 0.5]) for n in range(5)]).astype(np.float32)
    given = ChunkInputs(
        planes=(frames.reshape(6, 1, 1),),
        valid=np.ones(6, np.float32),
        error=None,
        velocity=velocity,
        time=frames,
        sigma=np.zeros((6, 3), np.float32),
    )
    turned = backward(given, 3)
    assert turned.planes[0][2:, 0, 0].tolist() == [3, 2, 1, 0]
    assert turned.valid.tolist() == [0, 0, 1, 1, 1, 1]
    assert turned.time[2:].tolist() == [-3, -2, -1, 0]
    # What led to the frame before now leads to the next one.
    assert turned.velocity[2:, 0, 0].tolist() == [[n + 0.5, n + 0.5, n, n] for n in (3, 2, 1)]
