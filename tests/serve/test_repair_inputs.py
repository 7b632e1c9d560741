"""Only the choices that apply are visible, and a mask is painted on the frame that is asked for."""

import numpy as np
import pytest

from vdiff_jax import tasks
from vdiff_jax.serve import repair_inputs
from vdiff_jax.serve.choices import DAMAGE, LOADED, NO_MASK, PAINTED

NAMES = ("sigma", "scale", "fps", "slow", "colour", "fill", "paint", "mask", "grow")


def test_every_task_can_be_chosen():
    assert set(repair_inputs.TASKS.values()) == {"auto", *tasks.NAMES}


@pytest.mark.parametrize(
    ("task", "fill", "expected"),
    [
        ("auto", NO_MASK, {"sigma", "fill"}),
        ("auto", PAINTED, {"sigma", "fill", "paint", "grow"}),
        ("inpaint", LOADED, {"sigma", "fill", "mask", "grow"}),
        ("denoise", DAMAGE, {"sigma", "fill", "grow"}),
        ("superres", PAINTED, {"scale"}),
        ("interpolate", NO_MASK, {"fps", "slow"}),
        ("colorize", NO_MASK, {"colour"}),
    ],
)
def test_what_is_visible(task, fill, expected):
    shown = repair_inputs._visible(task, fill)
    assert {name for name, update in zip(NAMES, shown) if update["visible"]} == expected


def test_another_frame_comes_under_what_is_painted(clip):
    layer = np.ones((48, 64, 4), np.uint8)
    shown = repair_inputs._painting(str(clip), 5, {"layers": [layer]})
    assert (shown["background"] == 100).all()
    assert shown["layers"] == [layer]


def test_a_video_of_another_size_begins_unpainted(clip):
    shown = repair_inputs._painting(str(clip), 0, {"layers": [np.ones((10, 10, 4), np.uint8)]})
    assert shown["layers"] == []
