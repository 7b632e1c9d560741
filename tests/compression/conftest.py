"""A small clip with sound, and an encoder for any clip."""

import dataclasses
from fractions import Fraction

import cv2
import jax
import numpy as np
import pytest
from flax import nnx

from vdiff_jax import media, sample, weights
from vdiff_jax.compression.codec import CODECS, check_source
from vdiff_jax.compression.settings import Settings
from vdiff_jax.compression.source import open_source
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.nn.network import SIZES, Network
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.stopwatch import Stopwatch

COUNT, HEIGHT, WIDTH = 14, 66, 98
PTS = [512 * n + (7 if n % 5 == 3 else 0) for n in range(COUNT)]
"""In 12288ths of a second: uneven steps, and no whole milliseconds."""


def planes(n: int) -> tuple[np.ndarray, ...]:
    """A moving texture, 4:2:0."""
    noise = np.random.default_rng(0).uniform(0, 255, (HEIGHT + 80, WIDTH + 80)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    texture = np.clip(128 + 4 * (texture - texture.mean()), 16, 235).astype(np.uint8)
    luma = texture[n : n + HEIGHT, 2 * n : 2 * n + WIDTH]
    chroma = cv2.resize(luma, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    return luma, 255 - chroma // 2, chroma // 2 + 60


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """An MP4 whose sound begins before its picture."""
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    info = media.VideoInfo(
        width=WIDTH,
        height=HEIGHT,
        pixels=PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601"),
        rate=Fraction(24),
        time_base=Fraction(1, 12288),
        stop=Fraction(COUNT, 24),
    )
    info = dataclasses.replace(info, sample_aspect=Fraction(4, 3))
    with media.open_writer(path, info, options={"crf": "4"}, copy_from=sample.NOISY) as writer:
        for n, pts in enumerate(PTS):
            writer.write(Frame(planes(n), pts, 512))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A file of weights: a tiny network of random parameters, which is quickly compiled."""
    path, rng = tmp_path_factory.mktemp("weights") / "tiny.safetensors", np.random.default_rng(0)
    network = nnx.eval_shape(lambda: Network(SIZES["tiny"], inputs=input_channels(SIZES["tiny"])))
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.1, leaf.shape).astype(np.float32), nnx.split(network)[1])
    weights.save(path, SIZES["tiny"], params, {})
    return path


@pytest.fixture(scope="session")
def open_encoder():
    """The encoder of a file: `open_encoder(path, folder, crf=...)` with any of the settings."""

    def encoder(path, folder, *, codec: str = "h264", weights: str = "fast", **settings) -> TrackEncoder:
        source, chosen = open_source(str(path), 25), CODECS[codec]
        coded = check_source(source.info, chosen, None, "matroska")
        wanted = Settings(codec=chosen, **{"crf": chosen.crf, "adapt": "none", "network": weights, **settings})
        return TrackEncoder(source, coded, wanted, folder, Stopwatch())

    return encoder


@pytest.fixture(scope="session")
def read_frames():
    """All frames of a file: `read_frames(path)`."""

    def read(path) -> list[Frame]:
        with media.open_reader(path) as reader:
            return list(reader)

    return read
