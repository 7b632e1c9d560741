"""Encoders on a graphics chip (`hardware`)."""

import av
import pytest

from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media import VideoInfo, encoders, hardware
from vdiff_jax.pixels import PixelFormat

YUV = PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2))
NAMES = sorted({name for names in hardware.HARDWARE.values() for name in names})


def encodes(name):
    """Whether this FFmpeg has the encoder, on whatever machine."""
    try:
        return av.Codec(name, "w").is_encoder
    except ValueError:
        return False


def test_the_first_encoder_that_opens_is_taken(monkeypatch):
    monkeypatch.setattr(hardware, "opens", lambda name: name in ("hevc_qsv", "hevc_amf"))
    assert hardware.hardware_encoder("hevc") == "hevc_qsv"
    assert hardware.hardware_encoder("h264") is None


def test_an_encoder_without_its_chip_does_not_open():
    """Trying says so without a line on stderr; with a chip, the encoder opens."""
    assert hardware.opens("libx264")
    assert not hardware.opens("no_such_encoder")
    assert hardware.opens("hevc_amf") in (True, False)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_without_its_chip_is_refused_before_work_starts(monkeypatch, name):
    monkeypatch.setattr(encoders, "opens", lambda name: False)
    says = "does not run on this machine" if encodes(name) else "no video encoder"
    with pytest.raises(OutputError, match=says):
        encoders.check_encoder("out.mkv", name, None)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_gets_the_frames_that_it_takes(name):
    """Not those in a chip's memory, which no plane can be written to."""
    if encodes(name):
        chosen = encoders.choose_encoding("matroska", VideoInfo(width=64, height=48, pixels=YUV), name, None)
        assert chosen.pixels == YUV
        assert chosen.packed in (None, "nv12")


@pytest.mark.parametrize("name", NAMES)
def test_crf_is_passed_under_the_encoder_s_own_name(name):
    if name not in av.codecs_available or name not in encoders.DEFAULT_OPTIONS:
        return
    own = encoders.CRF_OF_HARDWARE.get(name.rpartition("_")[2])
    if own is None:
        with pytest.raises(OptionError, match="no option crf"):
            encoders._options(name, YUV, {"crf": "20"})
        return
    options = encoders._options(name, YUV, {"crf": "20"})
    assert "crf" not in options
    assert all(options[option] == "20" for option in own)


def test_graphics_chips_take_interleaved_chroma():
    """The planes of 8 and 10 bits are reordered, not converted."""
    for bits, packed in ((8, "nv12"), (10, "p010le")):
        offer = encoders._offer(packed, PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2), bits=bits))
        assert (offer.kind, offer.subsampling, offer.bits) == ("yuv", (2, 2), bits)
