"""Clips of 8 frames of 64x48 pixels."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.pixels import PixelFormat

RATE = 10


def write_clip(path, clip, rate=RATE):
    """Writes R'G'B' frames without loss."""
    pixels = PixelFormat(kind="rgb", full_range=True)
    height, width = clip.shape[1:3]
    info = media.VideoInfo(width=width, height=height, pixels=pixels, rate=Fraction(rate), time_base=Fraction(1, rate))
    with media.open_writer(path, info, codec="ffv1") as writer:
        for number, frame in enumerate(clip):
            writer.write(media.Frame(tuple(np.moveaxis(frame, -1, 0)), number))
    return path


def numbered(count=8, shape=(48, 64), step=20):
    """Grey frames whose value is `step` times their number."""
    return np.stack([np.full((*shape, 3), step * n, np.uint8) for n in range(count)])


@pytest.fixture
def clip(tmp_path):
    """A video whose frame n is grey, 20 n."""
    return write_clip(tmp_path / "clip.mkv", numbered())


@pytest.fixture
def info(clip):
    """The clip's properties."""
    return dataclasses.replace(media.probe(clip))
