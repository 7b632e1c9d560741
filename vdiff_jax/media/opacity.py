"""Whether a video is transparent anywhere. Many files only declare an alpha channel."""

import dataclasses
import functools
import itertools
import logging
import os
import time

import av

from vdiff_jax.media.planes import pixel_format, planes_of
from vdiff_jax.media.probe import alpha_decoder, choose_stream, demuxed, open_container
from vdiff_jax.media.video import VideoInfo

logger = logging.getLogger(__name__)
_LOSSY = frozenset({"vp8", "vp9"})
_ROUNDING = 8 / 255
"""How far from opaque a lossy codec may store an opaque sample, as a part of the peak. VP9 at CRF 50 needs 5/255."""
_QUIET = 5.0
"""Seconds of looking after which a line says so."""


def without_opaque_alpha(info: VideoInfo) -> VideoInfo:
    """The properties of a video, without its alpha channel if that is opaque in every frame. It may be read once."""
    if not info.pixels.alpha or info.path is None or not os.path.isfile(info.path):
        return info
    status = os.stat(info.path)
    if not _is_opaque(os.path.abspath(info.path), status.st_size, status.st_mtime_ns):
        return info
    return dataclasses.replace(info, pixels=dataclasses.replace(info.pixels, alpha=False))


@functools.lru_cache(maxsize=64)
def _is_opaque(name: str, size: int, changed: int) -> bool:
    say_at = time.monotonic() + _QUIET
    with open_container(name, name) as container:
        stream = choose_stream(container, name)
        stream.thread_type = "AUTO"
        decoder = alpha_decoder(stream) or stream
        rounding = _ROUNDING if stream.codec_context.codec.canonical_name in _LOSSY else 0.0
        try:
            for packet in itertools.chain((each for each in demuxed(container, stream) if each.size), [None]):
                if any(_is_transparent(frame, rounding) for frame in decoder.decode(packet)):
                    return False
                if say_at is not None and time.monotonic() > say_at:
                    logger.info("%s has an alpha channel: all frames are read to see if it is opaque", name)
                    say_at = None
        except av.FFmpegError:  # damage: a frame behind it may be transparent
            return False
    return True


def _is_transparent(frame: av.VideoFrame, rounding: float) -> bool:
    pixels = pixel_format(frame.format, height=frame.height)
    return pixels.alpha and bool(planes_of(frame, pixels)[-1].min() < pixels.peak * (1 - rounding))
