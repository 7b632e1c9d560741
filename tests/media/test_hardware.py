"""Encoders on a graphics chip (`hardware`)."""

import av
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.media import encoders, hardware
from vdiff_jax.pixels import PixelFormat

YUV = PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2))


def test_the_first_encoder_that_opens_is_taken(monkeypatch):
    monkeypatch.setattr(hardware, "_opens", lambda name: name in ("hevc_qsv", "hevc_amf"))
    assert hardware.hardware_encoder("hevc") == "hevc_qsv"
    assert hardware.hardware_encoder("h264") is None


def test_an_encoder_without_its_chip_does_not_open():
    """Trying says so without a line on stderr; with a chip, the encoder opens."""
    assert hardware._opens("libx264")
    assert not hardware._opens("no_such_encoder")
    assert hardware._opens("hevc_amf") in (True, False)


@pytest.mark.parametrize("name", sorted({n for names in hardware.HARDWARE.values() for n in names}))
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
