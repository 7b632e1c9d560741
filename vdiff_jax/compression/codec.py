"""The codecs of the track, and what they refuse."""

import dataclasses
import logging
import math

from vdiff_jax.errors import FormatError, OptionError, OutputError
from vdiff_jax.media import VideoInfo
from vdiff_jax.media.encoders import available_encoders, choose_encoding

log = logging.getLogger(__name__)

_HDR = {16: "PQ", 18: "HLG"}
"""FFmpeg's numbers of the transfers that need 10 bits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec and its encoder.

    Attributes:
      name: FFmpeg's.
      encoder: FFmpeg's name.
      preset: that is used by default.
      crf: that is used by default.
      coarsest: the highest crf; the lowest is 1, for 0 is lossless or means another thing.
      octave: by how much crf rises where the rate halves, about.
    """

    name: str
    encoder: str
    preset: str
    crf: float
    coarsest: int
    octave: float

    def options(self, crf: float, preset: str | None) -> dict[str, str]:
        """The encoder's options; SVT-AV1 takes whole crfs alone."""
        shown = f"{crf:.0f}" if self.name == "av1" else f"{crf:.2f}"
        return {"crf": shown, "preset": preset or self.preset}

    def coarser(self, crf: float, octaves: float) -> float:
        """The crf at which the rate is so many octaves lower, about, or a little lower than that; negative: higher."""
        step = 1.0 if self.name == "av1" else 0.1
        found = math.ceil((crf + self.octave * octaves) / step + 1e-6) * step
        return round(float(min(max(found, 1), self.coarsest)), 2)


CODECS = {
    "h264": Codec(name="h264", encoder="libx264", preset="medium", crf=23.0, coarsest=51, octave=6.0),
    "hevc": Codec(name="hevc", encoder="libx265", preset="medium", crf=28.0, coarsest=51, octave=6.0),
    "av1": Codec(name="av1", encoder="libsvtav1", preset="6", crf=35.0, coarsest=63, octave=10.0),
}


def choose_codec(name: str, preset: str | None, crf: float | None) -> Codec:
    """The codec of this name, if this FFmpeg can encode it.

    Raises:
      OptionError: no such codec, a crf that is out of range or lossless.
      OutputError: its encoder is missing.
    """
    if name not in CODECS:
        raise OptionError(f"unknown codec {name}: take one of {', '.join(CODECS)}")
    codec = CODECS[name]
    there = available_encoders(entry.encoder for entry in CODECS.values())
    if codec.encoder not in there:
        offered = ", ".join(f"{entry.name} ({entry.encoder})" for entry in CODECS.values() if entry.encoder in there)
        raise OutputError(f"this PyAV has no {codec.encoder}, which encodes {name}; it has {offered or 'none of them'}")
    if preset == "lossless" or crf == 0:
        raise OptionError("compress is not lossless: pass --crf 1 or more, or copy with repair --codec ffv1")
    if crf is not None and not 1 <= crf <= codec.coarsest:
        raise OptionError(f"crf {crf:g} is out of range: {codec.encoder} takes 1 to {codec.coarsest}")
    return codec


def check_source(info: VideoInfo, codec: Codec, preset: str | None) -> VideoInfo:
    """The video as the encoder takes it: the same but for pixels that it has no format for.

    Raises:
      FormatError: alpha, HDR of more bits than the encoder has, or a video that it refuses.
    """
    if info.pixels.alpha:
        raise FormatError(f"the video has an alpha channel, which {codec.name} doesn't keep: flatten it first")
    encoding = choose_encoding("matroska", info, codec.encoder, codec.options(codec.crf, preset))
    hdr = _HDR.get(info.tags.transfer)
    if hdr is not None and encoding.pixels.bits < info.pixels.bits:
        bits = f"{info.pixels.bits} bits and {codec.encoder} keeps {encoding.pixels.bits}"
        raise FormatError(f"the video is HDR ({hdr}) of {bits}: choose another codec")
    if hdr is not None:
        log.warning("the video is HDR (%s): its bits and colour tags are kept, mastering metadata are not", hdr)
    return encoding.info
