"""What is chosen on the page becomes the options of `repair`."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.errors import MaskError, OptionError, ReferencePictureError
from vdiff_jax.media import read_picture
from vdiff_jax.restoration.options import Options
from vdiff_jax.serve.choices import ANY_PAINTING, DAMAGE, LOADED, NO_MASK, PAINTED, Choices, plan_line

EDITOR = {"layers": [np.pad(np.full((8, 8, 4), 255, np.uint8), ((0, 40), (0, 56), (0, 0)))]}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, {"task": "auto", "sigma": None, "weights": "base", "both_directions": False}),
        ({"quality": "best", "sigma": " 20 "}, {"weights": "base", "both_directions": True, "sigma": 20}),
        ({"quality": "fast", "task": "denoise"}, {"weights": "fast", "task": "denoise"}),
        ({"task": "superres", "scale": 1.5, "sigma": "9"}, {"scale": Fraction(3, 2)}),
        ({"task": "interpolate", "fps": 59.94}, {"fps": Fraction(59.94).limit_denominator(1001)}),
        ({"task": "interpolate", "fps": 60, "slow": 2}, {"slow": 2}),
        ({"task": "colorize", "reference": "a.png", "number": 3.0}, {"reference": ["3:a.png"]}),
        ({"fill": DAMAGE, "grow": 2.0}, {"mask": "auto", "grow": 2}),
        ({"fill": LOADED, "mask": "m.png", "task": "inpaint"}, {"mask": "m.png", "grow": 0}),
    ],
)
def test_options(choices, expected, info, tmp_path):
    options = Choices(**choices).options(info, tmp_path)
    assert {name: options[name] for name in expected} == expected
    Options(**options)


def test_options_of_other_tasks_are_left_out(info, tmp_path):
    everything = {"sigma": "9", "scale": 2, "fps": 60, "fill": PAINTED, "editor": EDITOR, "reference": "a.png"}
    assert not {"scale", "fps", "reference"} & set(Choices(**everything).options(info, tmp_path))
    assert not {"sigma", "mask", "fps"} & set(Choices(task="superres", **everything).options(info, tmp_path))


def test_a_painted_mask_is_written(info, tmp_path):
    mask = read_picture(Choices(fill=PAINTED, editor=EDITOR).options(info, tmp_path)["mask"])
    assert mask.shape == (48, 64)
    assert mask[:8, :8].all()
    assert mask.sum() == 64 * 255


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"fill": LOADED}, MaskError, "no mask yet"),
        ({"fill": PAINTED}, MaskError, "nothing is painted yet"),
        ({"fill": NO_MASK, "task": "inpaint"}, MaskError, "nothing is chosen to be filled"),
        ({"sigma": "much"}, OptionError, "noise much is not a number"),
        ({"task": "colorize"}, ReferencePictureError, "no coloured picture yet"),
    ],
)
def test_what_is_missing_is_named(choices, error, message, info, tmp_path):
    with pytest.raises(error, match=message):
        Choices(**choices).options(info, tmp_path)


def test_choices_come_in_the_order_of_the_fields():
    assert Choices.of(["denoise", "fast", "3", None, None, None, NO_MASK, None, 0, None, 0, None]).sigma == "3"
    with pytest.raises(ValueError, match="shorter"):
        Choices.of(["denoise"])


def test_the_plan_is_told(clip, info, tmp_path):
    assert "nothing to do" in plan_line(clip, {})
    assert "denoise" in plan_line(clip, {"sigma": 20, "weights": "fast"})
    mask = Choices(fill=PAINTED, editor=ANY_PAINTING).options(info, tmp_path)
    assert "inpaint" in plan_line(clip, mask)
    assert "128x96" in plan_line(clip, {"task": "superres", "scale": 2, "weights": "fast"})
