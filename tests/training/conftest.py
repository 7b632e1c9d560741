"""The configuration that the trainings of these tests share."""

import pytest

from vdiff_jax.config import Config, Data, Train


@pytest.fixture(scope="session")
def small() -> Config:
    """A tiny network on tiny clips, trained by Adam, which compiles faster than Muon.

    Tests that need nothing else use it as it is: XLA then compiles one training step and the examples of one size.
    """
    data = Data(frames=2, patch=16, batch=8, threads=1)
    return Config(data=data, train=Train(size="tiny", optimiser="adam", unroll=2, steps=12))
