"""The steps after the network: frames as they are without coefficients, and no thread that is left behind."""

import dataclasses
import threading

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel
from vdiff_jax.postprocess.residual_operators import CHROMA, CLASSES, LUMA
from vdiff_jax.tasks import finish
from vdiff_jax.tasks.finish import deflicker, resize, wiener
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.superres import Enlargement

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
    planes = [(np.clip(rng.normal(128, 3, (64, 96)), 0, 255).astype(np.uint8),) for _ in range(5)]
    return [Frame(own, n, given=own) for n, own in enumerate(planes)]


class FakeWeights:
    """Weights with coefficients that average along the flow, or without."""

    def __init__(self, model, both):
        self.wiener_model, self.wiener_of_both = model, both


def with_model(monkeypatch, model, both=None):
    monkeypatch.setattr(finish, "load", lambda name: FakeWeights(model, both))


def model_of(own: float) -> WienerModel:
    """A step that adds a share of each sample's residual."""
    luma = np.zeros((2, CLASSES, LUMA))
    luma[..., 10] = own
    part = Coefficients(np.array([2.0, 4.0]), luma, np.zeros((2, 2, CHROMA)))
    return WienerModel(np.array([4.0, 8.0]), part, part)


def test_deflicker_calms_what_stands_still(frames):
    calmed = list(deflicker(frames, PLAN))
    change = [np.abs(np.diff([f.planes[0].astype(float) for f in clip], axis=0)).mean() for clip in (frames, calmed)]
    assert [frame.pts for frame in calmed] == [0, 1, 2, 3, 4]
    assert change[1] < 0.7 * change[0]


def test_weights_without_coefficients_leave_the_frames_as_they_are(frames, monkeypatch):
    with_model(monkeypatch, None)
    assert list(wiener(frames, PLAN)) == frames


def test_coefficients_lower_the_noise_and_the_thread_ends_with_the_iterator(frames, monkeypatch):
    luma = np.zeros((2, CLASSES, LUMA))
    luma[..., [17, 19]] = 0.3  # along the flow
    part = Coefficients(np.array([2.0, 4.0]), luma, np.zeros((2, 2, CHROMA)))
    with_model(monkeypatch, WienerModel(np.array([4.0, 8.0]), part, part))
    before = threading.active_count()
    steps = wiener(frames, PLAN)
    first = next(steps)
    assert first.planes[0].std() < frames[0].planes[0].std()
    steps.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("both_directions", "has_both"), [(False, True), (True, True), (True, False)])
def test_both_directions_have_their_own_coefficients_if_the_weights_have_them(
    both_directions, has_both, frames, monkeypatch
):
    with_model(monkeypatch, model_of(0), model_of(1) if has_both else None)
    clip = [dataclasses.replace(frame, given=(frame.planes[0] // 2,)) for frame in frames]
    plan = dataclasses.replace(PLAN, both_directions=both_directions)
    for before, after in zip(clip, wiener(clip, plan), strict=True):
        expected = before.given if both_directions and has_both else before.planes
        np.testing.assert_array_equal(after.planes[0], expected[0])


def test_frames_get_the_size_that_is_written(frames):
    plan = dataclasses.replace(PLAN, conversion=Enlargement(GREY, (32, 48), 2, (50, 70)))
    resized = list(resize(frames, plan))
    assert [frame.planes[0].shape for frame in resized] == [(50, 70)] * 5
    assert [frame.pts for frame in resized] == list(range(5))
    assert resized[0].planes[0].mean() == pytest.approx(frames[0].planes[0].mean(), abs=0.2)
