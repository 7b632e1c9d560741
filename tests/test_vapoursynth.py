"""The VapourSynth function: its errors, and the format it reads. `scripts/check_vapoursynth.py` runs it."""

import sys
from types import SimpleNamespace

import pytest

from vdiff_jax.errors import ClipError, MaskError, MissingError, OptionError
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.vapoursynth import pixel_format, repair

VS = SimpleNamespace(YUV=3, RGB=2, GRAY=1, INTEGER=0, core=SimpleNamespace(num_threads=4))


def clip_of(family=VS.YUV, bits=8, sampling=0, subsampling=(1, 1), size=(64, 48), count=10, **props):
    w, h = subsampling
    form = SimpleNamespace(
        color_family=family, bits_per_sample=bits, sample_type=sampling, subsampling_w=w, subsampling_h=h, name="FORMAT"
    )
    frame = SimpleNamespace(props=props)
    return SimpleNamespace(format=form, width=size[0], height=size[1], num_frames=count, get_frame=lambda number: frame)


def test_the_format_is_read_from_format_and_properties():
    assert pixel_format(clip_of(_Matrix=1), VS) == PixelFormat(kind="yuv", subsampling=(2, 2))
    assert pixel_format(clip_of(bits=10, subsampling=(0, 0), _Matrix=9, _ColorRange=0), VS) == PixelFormat(
        kind="yuv", bits=10, full_range=True, matrix="bt2020"
    )
    assert pixel_format(clip_of(), VS).matrix == "bt601"
    assert pixel_format(clip_of(size=(1280, 720)), VS).matrix == "bt709"
    assert pixel_format(clip_of(VS.RGB, subsampling=(0, 0)), VS).full_range
    assert pixel_format(clip_of(VS.GRAY, subsampling=(0, 0)), VS).kind == "gray"


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        (clip_of(sampling=1, bits=32), "the clip's format is FORMAT: convert it to 8 to 16 bits"),
        (clip_of(family=99), "convert it to YUV, RGB or GRAY"),
        (clip_of(size=(0, 0)), "the clip's format or size varies"),
    ],
)
def test_formats_that_cannot_be_repaired_are_named(clip, said):
    with pytest.raises(ClipError, match=said):
        pixel_format(clip, VS)


def test_tasks_and_masks_that_do_not_fit_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "vapoursynth", VS)
    with pytest.raises(OptionError, match="interpolate is not possible in VapourSynth"):
        repair(clip_of(), task="interpolate")
    with pytest.raises(MaskError, match="the mask has 9 frames of 64x48, the clip 10 of 64x48"):
        repair(clip_of(), mask=clip_of(count=9))


def test_a_missing_vapoursynth_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "vapoursynth", None)
    with pytest.raises(MissingError, match="VapourSynth is not installed: pip install vapoursynth"):
        repair(clip_of())
