"""The steps after the network: frames as they are without coefficients, and no thread that is left behind."""

import threading

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import WienerModel
from vdiff_jax.postprocess.wiener_operators import OPERATORS
from vdiff_jax.tasks import finish
from vdiff_jax.tasks.finish import deflicker, wiener
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize

GREY = PixelFormat(kind="gray", full_range=True)
PLAN = Plan(
    tasks=("denoise",),
    weights="fast",
    why="",
    conversion=SameSize(GREY, (64, 96)),
    sigma=np.array([0.1, 0, 0], np.float32),
    sigma_rgb=25.0,
)


@pytest.fixture
def frames():
    """Five noisy frames of a still grey picture."""
    rng = np.random.default_rng(0)
    return [Frame((np.clip(rng.normal(128, 3, (64, 96)), 0, 255).astype(np.uint8),), n) for n in range(5)]


class FakeWeights:
    """Weights with coefficients that average along the flow, or without."""

    def __init__(self, model):
        self.wiener_model = model


def with_model(monkeypatch, model):
    monkeypatch.setattr(finish, "load", lambda name: FakeWeights(model))


def test_deflicker_calms_what_stands_still(frames):
    calmed = list(deflicker(frames, PLAN))
    change = [np.abs(np.diff([f.planes[0].astype(float) for f in clip], axis=0)).mean() for clip in (frames, calmed)]
    assert [frame.pts for frame in calmed] == [0, 1, 2, 3, 4]
    assert change[1] < 0.7 * change[0]


def test_weights_without_coefficients_leave_the_frames_as_they_are(frames, monkeypatch):
    with_model(monkeypatch, None)
    assert list(wiener(frames, PLAN)) == frames


def test_coefficients_lower_the_noise_and_the_thread_ends_with_the_iterator(frames, monkeypatch):
    along_time = np.array([0.0] * 6 + [0.15] * 4 + [0.0])[:OPERATORS]
    coefficients = np.stack([[along_time] * 3, np.zeros((3, OPERATORS))])
    with_model(monkeypatch, WienerModel(np.array([[2.0] * 3, [1.0] * 3]), coefficients))
    before = threading.active_count()
    steps = wiener(frames, PLAN)
    first = next(steps)
    assert first.planes[0].std() < frames[0].planes[0].std()
    steps.close()
    assert threading.active_count() == before
