"""From file to file: what superres makes of formats, sizes and shapes of pixels, and how far masks reach."""

import logging

import av
import imageio.v3 as iio
import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import weights
from vdiff_jax.errors import MaskError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel
from vdiff_jax.postprocess.residual_operators import CHROMA, CLASSES, LUMA
from vdiff_jax.restoration import pipeline
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


def test_interlaced_video_is_not_repaired_as_progressive_without_a_word(tmp_path, untrained, caplog):
    with av.open(str(tmp_path / "fields.mkv"), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"x264-params": "tff=1"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for n in range(2):
            picture = av.VideoFrame.from_ndarray(np.full((48, 48), 90, np.uint8), "yuv420p")
            picture.pts = n
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    options = {"task": "denoise", "sigma": 5, "weights": str(untrained), "codec": "ffv1"}
    for name, said in (("", True), ("deinterlace", False)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            pipeline.repair(tmp_path / "fields.mkv", tmp_path / "out.mkv", **options, **({name: True} if name else {}))
        assert ("pass --deinterlace" in caplog.text) == said


def test_a_mask_reaches_as_far_as_it_grows(tmp_path, untrained):
    source, mask = tmp_path / "in.mkv", np.zeros((34, 50), np.uint8)
    write(source, "yuv444p")
    mask[14:20, 20:30] = 255
    iio.imwrite(tmp_path / "mask.png", mask)
    changed = []
    for grow in (0, 3):
        target = tmp_path / f"{grow}.mkv"
        options = {"mask": tmp_path / "mask.png", "grow": grow, "weights": str(untrained), "codec": "ffv1"}
        pipeline.repair(source, target, task="inpaint", **options)
        with av.open(str(source)) as a, av.open(str(target)) as b:
            pairs = zip(a.decode(video=0), b.decode(video=0), strict=True)
            changed.append(np.any([(x.to_ndarray() != y.to_ndarray()).any(axis=0) for x, y in pairs], axis=0))
    tight, wide = changed
    assert not tight[mask == 0].any()
    reached = np.pad(mask, 3)  # a square around each pixel holds the circle
    reached = np.max([np.roll(reached, (y, x), (0, 1)) for y in range(-3, 4) for x in range(-3, 4)], axis=0)[3:-3, 3:-3]
    assert wide[(mask == 0) & (reached > 0)].any()
    assert not wide[reached == 0].any()


def test_masks_that_hide_every_frame_are_refused(tmp_path, untrained):
    write(tmp_path / "in.mkv", "yuv420p", count=2)
    (tmp_path / "masks").mkdir()
    for name in "01":
        iio.imwrite(tmp_path / "masks" / f"{name}.png", np.full((34, 50), 255, np.uint8))
    options = {"mask": tmp_path / "masks", "weights": str(untrained)}
    with pytest.raises(MaskError, match="in all frames"):
        pipeline.repair(tmp_path / "in.mkv", tmp_path / "out.mkv", task="inpaint", **options)
    assert not (tmp_path / "out.mkv").exists()


def test_what_was_denoised_is_filtered_as_the_weights_say(tmp_path, untrained):
    """And nothing crosses a cut."""
    rng = np.random.default_rng(0)
    clip = np.concatenate([np.full((4, 64, 64, 1), level, np.uint8) for level in (60, 180)])
    noisy = np.clip(clip + rng.normal(0, 10, clip.shape), 0, 255).astype(np.uint8)
    network = weights.load(untrained)
    luma = np.zeros((2, CLASSES, LUMA))
    luma[..., :2], luma[..., [17, 19]] = 0.1, 0.3  # to the nearest neighbours, and along the flow
    part = Coefficients(np.array([2.0, 8.0]), luma, np.zeros((2, 2, CHROMA)))
    told = tmp_path / "told.safetensors"
    weights.save(told, SIZES["tiny"], network.params, {}, WienerModel(np.array([4.0, 16.0]), part, part))
    plain, filtered = (vdiff_jax.repair(noisy, task="denoise", sigma=10, weights=str(w)) for w in (untrained, told))
    errors = [np.abs(result.astype(float) - clip).mean() for result in (plain, filtered)]
    assert errors[1] < 0.8 * errors[0]
    assert filtered[3].mean() < plain[3].mean() + 1  # of 120 that the cut rises by
