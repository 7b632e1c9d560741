"""Balanced sampling: kinds of shots are measured, and drawn as often as the configuration says."""

import numpy as np
import pytest

from vdiff_jax.config import Data
from vdiff_jax.training import balance
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples


def shot(*, speed: int = 0, level: int = 128, contrast: int = 60, frames: int = 4) -> np.ndarray:
    """A smooth texture that moves to the right."""
    y, x = np.mgrid[:64, :96]
    phase = [x - speed * t for t in range(frames)]
    waves = np.stack([np.sin(p / 7) * np.cos(y / 5) + np.sin((p + 2 * y) / 11) for p in phase])
    return np.clip(level + contrast * waves, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=-1)


def kind_of(name: str, clip: np.ndarray) -> str:
    return balance.KINDS[name][balance.kinds([balance.measure(clip)], name)[0]].name


def test_shots_are_of_the_kinds_that_they_were_made_as():
    assert kind_of("motion", shot(speed=0)) == "still"
    assert kind_of("motion", shot(speed=4)) == "medium"
    assert balance.measure(shot(speed=4))["motion"] == pytest.approx(4, rel=0.2)
    assert [kind_of("brightness", shot(level=v, contrast=10)) for v in (30, 220)] == ["dark", "bright"]
    assert [kind_of("texture", shot(contrast=c)) for c in (4, 90)] == ["smooth", "rich"]
    assert [kind_of("length", shot(frames=n)) for n in (3, 20)] == ["brief", "short"]


@pytest.fixture(scope="module")
def uneven() -> Split:
    return Split([], [*(shot() for _ in range(95)), *(shot(speed=4) for _ in range(5))])


@pytest.mark.parametrize(("strength", "rare"), [(0.0, 0.05), (1.0, 0.5)])
def test_a_95_to_5_split_is_drawn_as_configured(uneven, strength, rare):
    data = Data(frames=3, patch=32, balance={"motion": strength})
    examples = Examples(uneven, data, {"denoise": 1.0}, seed=0)
    in_data, intended = examples.intended()["motion"]["medium"]
    assert in_data == pytest.approx(0.05)
    assert intended == pytest.approx(rare)
    draws = [examples.draw(n).shot for n in range(1000)]
    seen = np.mean([n >= 95 for n in draws])
    assert seen == pytest.approx(rare, abs=0.05)
    assert examples.drawn(0, 1000)["drawn/motion/medium"] == pytest.approx(seen)
    assert examples.drawn(0, 1000)["drawn/motion/still"] == pytest.approx(1 - seen)


def test_several_properties_hold_at_once():
    counts = {(0.0, 0.1): 60, (0.0, 0.9): 30, (9.0, 0.1): 8, (9.0, 0.9): 2}
    measured = [
        {"motion": motion, "brightness": brightness, "texture": 0.0, "length": 9.0}
        for (motion, brightness), count in counts.items()
        for _ in range(count)
    ]
    weights = balance.weights(measured, {"motion": 1.0, "brightness": 1.0})
    drawn = balance.shares(measured, weights)
    assert drawn["motion"] == pytest.approx({"still": 0.5, "fast": 0.5}, abs=1e-3)
    assert drawn["brightness"] == pytest.approx({"dark": 0.5, "bright": 0.5}, abs=1e-3)
