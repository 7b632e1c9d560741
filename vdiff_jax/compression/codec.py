"""The video codecs that `compress` offers, and the videos that each of them refuses."""

import dataclasses
import logging
import math

from vdiff_jax.errors import FormatError, OptionError, OutputError
from vdiff_jax.media import VideoInfo
from vdiff_jax.media.encoders import available_encoders, choose_encoding
from vdiff_jax.media.fidelity import ALPHA_OUTPUTS, HDR_TRANSFERS, losses, warn_of_losses
from vdiff_jax.pixels import PixelFormat

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec and its encoder.

    Attributes:
      name: FFmpeg's name of the codec.
      encoder: FFmpeg's name of the encoder.
      preset: the default preset.
      crf: the default crf.
      highest_crf: the coarsest quality; the finest is crf 1, because crf 0 is lossless or has another meaning.
      crf_step: the smallest change of crf that a search makes.
      octave: by how much crf rises, roughly, when the bit rate halves.
      tuning: options that differ from the encoder's defaults, because a filter follows the decoder.
    """

    name: str
    encoder: str
    preset: str
    crf: float
    highest_crf: int
    crf_step: float
    octave: float
    tuning: tuple[tuple[str, str], ...] = ()

    def options(self, crf: float, preset: str | None) -> dict[str, str]:
        """The encoder's options. SVT-AV1 accepts only whole numbers as crf."""
        text = f"{crf:.0f}" if self.name == "av1" else f"{crf:.2f}"
        return {"crf": text, "preset": preset or self.preset, **dict(self.tuning)}

    def coarser(self, crf: float, octaves: float) -> float:
        """The crf that lowers the bit rate by about `octaves` octaves (factors of 2) or more; negative: raises it."""
        steps = math.ceil((crf + self.octave * octaves) / self.crf_step + 1e-6)
        return round(float(min(max(steps * self.crf_step, 1), self.highest_crf)), 2)


_X264_SCALE = {"preset": "medium", "highest_crf": 51, "crf_step": 0.1, "octave": 6.0}
# x264's psychovisual options keep the energy of fine texture by coding errors that look like it. The Wiener step
# removes such errors, so their bits would be wasted.
_NO_PSYCHOVISUAL = (("psy", "0"),)
# x265 would list its own options in each file, in 2.3 kB.
_NO_LIST = (("x265-params", "info=0"),)
CODECS = {
    "h264": Codec(name="h264", encoder="libx264", crf=23.0, tuning=_NO_PSYCHOVISUAL, **_X264_SCALE),
    "hevc": Codec(name="hevc", encoder="libx265", crf=28.0, tuning=_NO_LIST, **_X264_SCALE),
    "av1": Codec(name="av1", encoder="libsvtav1", preset="6", crf=35.0, highest_crf=63, crf_step=1.0, octave=10.0),
}


def choose_codec(name: str, preset: str | None, crf: float | None) -> Codec:
    """The codec of this name.

    Raises:
      OptionError: the codec is unknown, or the crf is out of range or lossless.
      OutputError: the installed FFmpeg libraries lack its encoder.
    """
    if name not in CODECS:
        raise OptionError(f"unknown codec {name}: pass one of {', '.join(CODECS)}")
    codec = CODECS[name]
    present = available_encoders(entry.encoder for entry in CODECS.values())
    if codec.encoder not in present:
        others = ", ".join(f"{entry.name} ({entry.encoder})" for entry in CODECS.values() if entry.encoder in present)
        raise OutputError(
            f"the installed PyAV lacks {codec.encoder}, the encoder for {name}: "
            + (f"pass another codec: {others}" if others else "install a PyAV that has it")
        )
    if preset == "lossless" or crf == 0:
        raise OptionError("compress is never lossless: pass --crf 1 or more, or make a copy by repair --codec ffv1")
    if crf is not None and not 1 <= crf <= codec.highest_crf:
        raise OptionError(f"crf {crf:g} is out of range: pass 1 to {codec.highest_crf} for {codec.encoder}")
    return codec


def playable_pixels(info: VideoInfo, codec: Codec) -> PixelFormat:
    """The nearest format that browsers, phones and televisions decode: 4:2:0 of 8 bits, or of up to 10 except in H.264.

    Y'CbCr with an odd side stays as it is, because encoders take it only in other formats. Gray and R'G'B' keep their
    kind: the encoder makes them 4:2:0.
    """
    pixels = info.pixels
    if pixels.kind == "yuv" and (info.width % 2 or info.height % 2):
        return pixels
    bits = 8 if codec.name == "h264" else min(pixels.bits, 10)
    return dataclasses.replace(pixels, subsampling=(2, 2) if pixels.kind == "yuv" else pixels.subsampling, bits=bits)


def check_source(info: VideoInfo, codec: Codec, preset: str | None, container: str) -> VideoInfo:
    """The video's properties as the encoder receives it; only the pixel format may differ from `info`.

    In MP4 it is one that browsers, phones and televisions decode.

    Raises:
      FormatError: the video has alpha, is HDR with more bits than the encoder keeps, or is refused by the encoder.
    """
    if info.pixels.alpha:
        raise FormatError(
            f"the video is transparent in places, which no output of compress can store; of repair, {ALPHA_OUTPUTS}"
        )
    wanted = dataclasses.replace(info, pixels=playable_pixels(info, codec)) if container == "mp4" else info
    encoding = choose_encoding(container, wanted, codec.encoder, codec.options(codec.crf, preset))
    hdr = HDR_TRANSFERS.get(info.tags.transfer)
    if hdr is not None and encoding.pixels.bits < info.pixels.bits:
        raise FormatError(
            f"the video is HDR ({hdr}) of {info.pixels.bits} bits and {codec.encoder} keeps {encoding.pixels.bits}: "
            "pass hevc or av1"
        )
    if wanted.pixels != info.pixels:
        stored = choose_encoding("matroska", info, codec.encoder, codec.options(codec.crf, preset)).pixels
        kept = stored == info.pixels if info.pixels.kind == "yuv" else stored.bits == info.pixels.bits
        log.warning(
            "%s becomes %s, which browsers, phones and televisions play: %s keeps it",
            info.pixels.name if info.pixels.kind == "yuv" else f"the precision of {info.pixels.bits} bits",
            encoding.pixels.name if info.pixels.kind == "yuv" else encoding.pixels.bits,
            ".mkv" if kept else ".mkv with --codec hevc",
        )
    if container == "mp4" and encoding.pixels.subsampling != (2, 2):
        log.warning(
            "%dx%d is stored as %s, which few browsers, phones and televisions play, because a side is odd: "
            "--codec av1 stores odd sides as 4:2:0",
            *(info.width, info.height, encoding.pixels.name),
        )
    warn_of_losses(losses(wanted, container, codec.encoder, encoding.pixels), "the compressed file")
    return encoding.info
