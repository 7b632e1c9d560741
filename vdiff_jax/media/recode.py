"""What coding does to a clip: encoded and decoded again in memory, in one thread, so that it is always the same."""

from collections.abc import Sequence
from fractions import Fraction

import av

from vdiff_jax.media.pixels import Frame, PixelFormat, frame_of, planes_of
from vdiff_jax.media.quantisers import EXPORT, frame_quantiser, slice_quantisers

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "mpeg2video": "mpeg2video"}
_RATE = 25


def codecs() -> list[str]:
    """Those of `ENCODERS` that this FFmpeg can encode."""
    return [codec for codec, encoder in ENCODERS.items() if encoder in av.codecs_available]


def recode(frames: Sequence[Frame], pixels: PixelFormat, codec: str, options: dict[str, str]) -> list[Frame]:
    """The frames as a player would show them after they were encoded, each with its quantiser.

    Args:
      frames: their pts count them from 0.
      pixels: what their planes mean; a format that the encoder takes.
      codec: one of `codecs()`.
      options: of its encoder.

    Raises:
      av.FFmpegError: the encoder refuses the options or the size.
    """
    height, width = frames[0].planes[0].shape
    encoder = av.CodecContext.create(ENCODERS[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels.name
    encoder.time_base, encoder.framerate = Fraction(1, _RATE), Fraction(_RATE)
    encoder.thread_count = 1
    encoder.options = options
    packets = []
    for number, frame in enumerate(frames):
        picture = frame_of(frame.planes, pixels)
        picture.pts, picture.time_base = number, encoder.time_base
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    decoder.options = EXPORT
    shown = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    told = {pts: qp for pts, (_, qp) in slice_quantisers(packets, codec).items()} if codec == "hevc" else {}
    recoded: list[Frame] = []
    for number, picture in enumerate(shown):
        quantiser = told.get(picture.pts, frame_quantiser(picture))
        if quantiser is None and recoded:  # MPEG-2's last frame, which the decoder held back
            quantiser = recoded[-1].quantiser
        recoded.append(Frame(planes_of(picture, pixels), number, quantiser=quantiser))
    return recoded
