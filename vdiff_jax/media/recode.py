"""What coding does to a clip: encoded and decoded again in memory, in one thread, so that it is always the same."""

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
"""Where FFmpeg's own decoder needs hardware."""
_RATE = 25


def codecs() -> list[str]:
    """Those of `ENCODERS` that this FFmpeg can encode."""
    return [codec for codec, encoder in ENCODERS.items() if encoder in av.codecs_available]


class Recoded(NamedTuple):
    """Frames as they were decoded, each with its quantiser if the stream tells it, and the stream's size."""

    frames: list[Frame]
    bytes: int


def recode(
    frames: Sequence[Frame], pixels: PixelFormat, codec: str, options: dict[str, str], *, rate: Fraction | int = _RATE
) -> Recoded:
    """The frames as a player would show them after they were encoded.

    Args:
      frames: they are taken as evenly spaced.
      pixels: what their planes mean; a format that the encoder takes.
      codec: one of `codecs()`.
      options: of its encoder.
      rate: frames a second, which encoders weigh quality by.

    Raises:
      av.FFmpegError: the encoder refuses the options or the size.
    """
    height, width = frames[0].planes[0].shape
    encoder = av.CodecContext.create(ENCODERS[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels.name
    encoder.time_base, encoder.framerate = 1 / Fraction(rate), Fraction(rate)
    encoder.thread_count = 1
    options = dict(options)
    silence_encoder(ENCODERS[codec], options)
    encoder.options = options
    packets = []
    with keep_scheduling_priority():
        for number, frame in enumerate(frames):
            picture = frame_of(frame.planes, pixels)
            picture.pts, picture.time_base = number, encoder.time_base
            packets += encoder.encode(picture)
        packets += encoder.encode(None)
    size = sum(packet.size for packet in packets)
    decoder = av.CodecContext.create(_DECODERS.get(codec, codec), "r")
    decoder.thread_count = 1
    decoder.options = EXPORT_QUANTISERS if scale_of(codec) is not None else {}
    shown = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    told = {pts: qp for pts, (_, qp) in slice_quantisers(packets, codec).items()} if codec == "hevc" else {}
    recoded: list[Frame] = []
    for number, picture in enumerate(shown):
        quantiser = told.get(picture.pts, frame_quantiser(picture))
        if quantiser is None and recoded:  # MPEG-2's last frame, which the decoder held back
            quantiser = recoded[-1].quantiser
        recoded.append(Frame(planes_of(picture, pixels), number, quantiser=quantiser))
    return Recoded(recoded, size)
