"""The clip that the tasks' tests share."""

import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(scope="session")
def clip():
    """A coloured square that slides over a shaded ground: 4 frames of 16×16."""
    y, x = np.mgrid[:16, :16] / 16
    frames = []
    for t in range(4):
        frame = np.stack([0.3 + 0.4 * x, 0.6 - 0.3 * y, 0.4 + 0.2 * x * y], axis=-1)
        frame[5:11, 2 + 2 * t : 8 + 2 * t] = [0.9, 0.2, 0.3]
        frames.append(frame)
    return jnp.asarray(np.stack(frames), jnp.float32)
