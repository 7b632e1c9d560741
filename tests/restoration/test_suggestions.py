"""What is suggested, in which words, and when nothing is (`suggestions`)."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.cli.arguments import build_parser
from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration import suggestions as module
from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.suggestions import suggestions
from vdiff_jax.tasks.interpolate import _rate
from vdiff_jax.tasks.request import Request

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))
INFO = VideoInfo(width=96, height=64, pixels=YUV, rate=Fraction(30000, 1001))
GREY = [Frame((np.full((64, 96), 90, np.uint8), *(np.full((32, 48), 128, np.uint8),) * 2), n) for n in range(8)]


@pytest.fixture
def everything(monkeypatch):
    """A video in which everything is found."""
    for name, value in (("is_combed", True), ("is_old_film", True), ("is_grey", True), ("repeats", 5)):
        monkeypatch.setattr(module.findings, name, lambda *_, value=value: value)
    monkeypatch.setattr(module.findings, "black_bars", lambda *_: (0, 0, 71, 70))


def test_each_suggestion_names_options_that_exist(everything):
    text = " ".join(suggestions(GREY, INFO, Options()))
    for option in ("--deinterlace", "--mask auto", "--reference 0:PICTURE", "--fps 30000/1001"):
        assert option in text
    assert "(71 columns left, 70 right)" in text
    words = "repair in.mp4 -o out.mp4 --deinterlace --mask auto --reference 0:p.png --task interpolate --fps 30000/1001"
    assert build_parser().parse_args(words.split()).fps == INFO.rate


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(120001, 5003)])
def test_interpolate_takes_the_suggested_rate(everything, rate):
    [text] = [
        s for s in suggestions(GREY, VideoInfo(width=96, height=64, pixels=YUV, rate=rate), Options()) if "fps" in s
    ]
    fps = Fraction(text.split("--fps ")[1].split()[0])
    assert _rate(Request(frames=GREY, pixels=YUV, rate=rate, fps=fps))[0] >= rate


def test_what_was_asked_for_is_not_suggested(everything):
    chosen = Options(deinterlace=True, mask="auto", reference=["0:a.png"], fps=60)
    assert [s for s in suggestions(GREY, INFO, chosen) if "--" in s] == []
    assert suggestions(GREY, INFO, Options(task="denoise")) == ()
    assert suggestions(GREY[:2], INFO, Options()) == ()
    assert not any("comb" in s for s in suggestions(GREY, INFO, Options(), warned=True))


def test_nothing_is_found_in_grey_but_that(monkeypatch):
    assert [s.split(":")[0] for s in suggestions(GREY, INFO, Options())] == ["it has no colours"]
