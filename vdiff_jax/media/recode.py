"""Encodes a clip and decodes it again, in memory. A single thread makes the result reproducible."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import av

from vdiff_jax.media.encoders import keep_scheduling_priority, silence_encoder
from vdiff_jax.media.planes import frame_of, planes_of
from vdiff_jax.media.quantisers import EXPORT_QUANTISERS, frame_quantiser, scale_of, slice_quantisers
from vdiff_jax.pixels import Frame, PixelFormat

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "mpeg2video": "mpeg2video",
}
_DECODERS = {"av1": "libdav1d"}
"""Decoders for codecs whose FFmpeg decoder needs hardware."""
_RATE = 25


def codecs() -> list[str]:
    """The codecs of `ENCODERS` that this FFmpeg can encode."""
    return [codec for codec, encoder in ENCODERS.items() if encoder in av.codecs_available]


class Recoded(NamedTuple):
    """The decoded frames, each with its quantiser where it can be read, and the size of the stream in bytes."""

    frames: list[Frame]
    bytes: int


def recode(
    frames: Sequence[Frame], pixels: PixelFormat, codec: str, options: dict[str, str], *, rate: Fraction | int = _RATE
) -> Recoded:
    """The frames as a player shows them after encoding, for training data and tests.

    Args:
      frames: evenly spaced frames.
      pixels: their format, which the encoder must take.
      codec: one of `codecs()`.
      options: the encoder's options.
      rate: frames a second; encoders take it into account when they distribute bits.

    Raises:
      av.FFmpegError: the encoder rejects the options or the size.
    """
    packets = _encode(frames, pixels, ENCODERS[codec], options, Fraction(rate))
    size = sum(packet.size for packet in packets)
    return Recoded(_decode(packets, pixels, codec), size)


def _encode(
    frames: Sequence[Frame], pixels: PixelFormat, encoder_name: str, options: dict[str, str], rate: Fraction
) -> list[av.Packet]:
    height, width = frames[0].planes[0].shape
    encoder = av.CodecContext.create(encoder_name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels.name
    encoder.time_base, encoder.framerate = 1 / rate, rate
    encoder.thread_count = 1
    options = dict(options)
    silence_encoder(encoder_name, options)
    encoder.options = options
    packets = []
    with keep_scheduling_priority():
        for number, frame in enumerate(frames):
            picture = frame_of(frame.planes, pixels)
            picture.pts, picture.time_base = number, encoder.time_base
            packets += encoder.encode(picture)
        packets += encoder.encode(None)
    return packets


def _decode(packets: list[av.Packet], pixels: PixelFormat, codec: str) -> list[Frame]:
    """The decoded frames, each with its quantiser where it can be read."""
    decoder = av.CodecContext.create(_DECODERS.get(codec, codec), "r")
    decoder.thread_count = 1
    decoder.options = EXPORT_QUANTISERS if scale_of(codec) is not None else {}
    shown = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    by_pts = {pts: qp for pts, (_, qp) in slice_quantisers(packets, codec).items()} if codec == "hevc" else {}
    recoded: list[Frame] = []
    for number, picture in enumerate(shown):
        quantiser = by_pts.get(picture.pts, frame_quantiser(picture))
        if quantiser is None and recoded:  # the decoder exports none for MPEG-2's last frame
            quantiser = recoded[-1].quantiser
        recoded.append(Frame(planes_of(picture, pixels), number, quantiser=quantiser))
    return recoded
