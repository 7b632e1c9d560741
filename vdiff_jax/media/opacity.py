"""Whether a video is transparent anywhere. Most GIFs and PNGs only declare an alpha channel."""

import dataclasses
import functools
import os

import av

from vdiff_jax.media.planes import pixel_format, planes_of
from vdiff_jax.media.probe import choose_stream, open_container
from vdiff_jax.media.video import VideoInfo

_DECLARED = frozenset({"gif", "apng", "png"})
"""Codecs whose decoders always give an alpha channel."""


def without_opaque_alpha(info: VideoInfo) -> VideoInfo:
    """The properties of a video, without its alpha channel if that is opaque in every frame. It may be read once."""
    if not info.pixels.alpha or info.codec not in _DECLARED or info.path is None or not os.path.isfile(info.path):
        return info
    status = os.stat(info.path)
    if not _is_opaque(os.path.abspath(info.path), status.st_size, status.st_mtime_ns):
        return info
    return dataclasses.replace(info, pixels=dataclasses.replace(info.pixels, alpha=False))


@functools.lru_cache(maxsize=64)
def _is_opaque(name: str, size: int, changed: int) -> bool:
    with open_container(name, name) as container:
        try:
            return not any(map(_is_transparent, container.decode(choose_stream(container, name))))
        except av.FFmpegError:  # damage: a frame behind it may be transparent
            return False


def _is_transparent(frame: av.VideoFrame) -> bool:
    pixels = pixel_format(frame.format, height=frame.height)
    return pixels.alpha and bool(planes_of(frame, pixels)[-1].min() < pixels.peak)
