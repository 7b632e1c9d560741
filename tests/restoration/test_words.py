"""The line that says what will be done."""

import dataclasses
from fractions import Fraction

from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration.words import plan_text
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))
SOURCE = VideoInfo(width=320, height=180, pixels=PIXELS, rate=Fraction(25))
NOTHING = Plan(tasks=(), weights="", why="no noise", conversion=SameSize(PIXELS, (180, 320)))


def test_nothing_to_do_says_why():
    assert plan_text(SOURCE, SOURCE, NOTHING) == "320x180, 25 frames/s: nothing to do; no noise"


def test_changes_of_size_and_rate_and_the_weights_are_named():
    plan = dataclasses.replace(NOTHING, tasks=("superres",), weights="base-superres", why="as asked")
    text = plan_text(SOURCE, dataclasses.replace(SOURCE, width=640, height=360), plan)
    assert "superres to 640x360 with base-superres on cpu" in text
    plan = dataclasses.replace(NOTHING, tasks=("interpolate",))
    assert "interpolate to 50 frames/s;" in plan_text(SOURCE, dataclasses.replace(SOURCE, rate=Fraction(50)), plan)
