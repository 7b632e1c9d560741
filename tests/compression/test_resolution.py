"""Tracks of another size: the way there and back, and when it is taken."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression import decompress
from vdiff_jax.compression.attachment_choice import decide_roughly
from vdiff_jax.compression.probes import Meter
from vdiff_jax.compression.quality import luma_psnr
from vdiff_jax.compression.resolution import in_shape, resized, smaller_forms
from vdiff_jax.compression.track_choice import choose
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.resample import resample
from vdiff_jax.stream.resize import along_rows, cubic
from vdiff_jax.weights import load

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), bits=10, matrix="bt709")


def info(**changes) -> media.VideoInfo:
    return media.VideoInfo(**{"width": 97, "height": 66, "pixels": YUV, **changes})


def test_smaller_shapes_are_even():
    assert [f.shape for f in smaller_forms(info(height=130, width=193))] == [(104, 154), (86, 128), (64, 96)]
    assert [f.shape for f in smaller_forms(info(height=97))] == [(78, 78), (64, 64)]
    assert smaller_forms(info(height=130, width=193, interlaced=True)) == []


def test_a_matrix_that_the_size_let_assume_is_named():
    large = info(width=1280, height=720)
    assert in_shape(large, (360, 640)).tags.matrix == 1
    assert in_shape(large, (720, 960)).tags.matrix == 2
    assert in_shape(info(), (32, 48)).tags.matrix == 2


def test_the_filter_is_superres_s_own():
    column = np.random.default_rng(2).uniform(0, 1, (33, 3)).astype(np.float32)
    ours = along_rows(column, *cubic(33, 22, 2 / 3, 0.125))
    theirs = resample(jnp.asarray(column), (22, 3), scale=(2 / 3, 1.0), shift=(0.125, 0.0))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_chroma_stays_where_it_lies_on_luma():
    """Planes that tell their places: chroma's samples lie on the first of two pixels across, and between two down."""
    y, x = np.mgrid[:64, :96]
    planes = (8 * x, 8 * (2 * x[:32, :48]), 8 * (2 * y[:32, :48] + 0.5))
    frame = Frame(tuple(plane.astype(np.uint16) for plane in planes), 5, 2)
    (small,) = resized([frame], YUV, (32, 48))
    assert (small.pts, small.duration) == (5, 2)
    # Sample 0 of a small plane lies in the middle of the first two of luma.
    inside = np.s_[4:-4, 4:-4]
    y, x = np.mgrid[:32, :48]
    np.testing.assert_allclose(small.planes[0][inside], (8 * (2 * x + 0.5))[inside], atol=1)
    np.testing.assert_allclose(small.planes[1][inside], (8 * (4 * x + 0.5))[:16, :24][inside], atol=1)
    np.testing.assert_allclose(small.planes[2][inside], (8 * (4 * y + 1.5))[:16, :24][inside], atol=1)
    (back,) = resized([small], YUV, (64, 96))
    for plane, once in zip(frame.planes, back.planes, strict=True):
        np.testing.assert_allclose(once[8:-8, 8:-8], plane[8:-8, 8:-8].astype(int), atol=1)


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    """A film that is soft, as if it had been enlarged, with hard edges nowhere; no whole milliseconds."""
    path = tmp_path_factory.mktemp("soft") / "soft.mkv"
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
    noise = np.random.default_rng(1).uniform(0, 255, (160, 200)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    texture = np.clip(128 + 9 * (texture - texture.mean()), 16, 235).astype(np.uint8)
    given = media.VideoInfo(width=128, height=96, pixels=pixels)
    with media.open_writer(path, given, codec="ffv1") as writer:
        for n in range(8):
            luma = texture[n : n + 96, 3 * n : 3 * n + 128]
            chroma = cv2.resize(luma, (64, 48), interpolation=cv2.INTER_AREA)
            writer.write(Frame((luma, 255 - chroma // 2, chroma // 2 + 60), n, 1))
    return path


def frames_of(path) -> list[Frame]:
    with media.open_reader(path) as reader:
        return list(reader)


def test_a_smaller_track_is_taken_where_it_is_better(soft, tmp_path, encoding):
    network = load("base")
    with encoding(soft, tmp_path, crf=44.0) as encoder:
        plain = encoder.track()
        choice = choose(encoder, Meter(encoder, network, None), plain)
        track = choice.track
        assert track.form in smaller_forms(encoder.original.info)
        assert track.size <= plain.size
        decision = decide_roughly(encoder, encoder.excerpts.of(track), track.size, network, track.form)
        media.remux(
            track.path, tmp_path / "small.mkv", decision.attachment, encoder.original.info, copy_from=None, lead=0
        )
        (shown,) = encoder.excerpts.of(plain)
        before = luma_psnr([shown], encoder.stored.pixels)
    assert media.probe(tmp_path / "small.mkv").height == track.form.shape[0]
    decompress(tmp_path / "small.mkv", tmp_path / "large.mkv", codec="ffv1")
    large = frames_of(tmp_path / "large.mkv")
    assert [frame.pts for frame in large] == [frame.pts for frame in frames_of(soft)]
    assert large[0].planes[0].shape == (96, 128)
    after = luma_psnr([shown._replace(decoded=large)], encoder.stored.pixels)
    assert after > before + 0.1
    assert after == pytest.approx(choice.compared[1].psnr, abs=0.02)


def test_it_is_not_taken_for_a_picture_that_is_coded_finely(soft, tmp_path, encoding):
    with encoding(soft, tmp_path, crf=8.0) as encoder:
        track = encoder.track()
        choice = choose(encoder, Meter(encoder, load("base"), None), track)
    assert choice.track is track
    assert [trial.form for trial in choice.tried] == [encoder.form]
