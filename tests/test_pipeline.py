"""From file to file: what superres makes of formats, sizes and shapes of pixels."""

import logging

import av
import numpy as np
import pytest

from vdiff_jax import pipeline, weights
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.step import build


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A network too small to be good, as a file."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weights.save(path, SIZES["tiny"], build(SIZES["tiny"])[1], {})
    return path


def write(path, fmt, *, size=(50, 34), count=3):
    """A coloured ramp: luma rises to the right, Cb to the right and Cr downwards."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, fmt
        y, x = np.mgrid[: size[1], : size[0]]
        rgb = np.stack([60 + 2 * y + x, 90 + x, 120 + 2 * x - y], axis=-1).astype(np.uint8)
        for n in range(count):
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=fmt)
            frame.pts = n
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def read(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.to_ndarray(format="rgb24").astype(float) for f in frames], frames[0].format.name, container.streams


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv422p10le", "yuv444p", "gbrp10le"])
def test_every_format_is_enlarged_in_place(tmp_path, untrained, fmt):
    source, target = tmp_path / "small.mkv", tmp_path / "large.mkv"
    write(source, fmt)
    report = pipeline.repair(source, target, task="superres", scale=2, sigma=0, weights=str(untrained), codec="ffv1")
    assert (report["frames"], report["width"], report["height"]) == (3, 100, 68)
    (small, _, _), (large, name, _) = read(source), read(target)
    assert name == fmt
    assert len(large) == 3
    # The ramp's colours stay where they were: a shift of chroma by half a pixel would show.
    expected = small[1].repeat(2, 0).repeat(2, 1)
    assert np.abs(large[1] - expected)[8:-8, 8:-8].mean() < 4


def test_odd_sizes_keep_the_shape_of_the_picture(tmp_path, untrained, caplog):
    source, target = tmp_path / "small.mkv", tmp_path / "large.mp4"
    write(source, "yuv420p", size=(45, 33))
    with caplog.at_level(logging.WARNING):
        report = pipeline.repair(source, target, task="superres", size=(80, 60), sigma=0, weights=str(untrained))
    assert (report["width"], report["height"]) == (80, 60)
    assert "not square" in caplog.text
    with av.open(str(target)) as container:
        aspect = container.streams.video[0].sample_aspect_ratio
        assert (container.streams.video[0].width, container.streams.video[0].height) == (80, 60)
    assert abs(float(aspect) * 80 / 60 - 45 / 33) < 0.02
