"""Training data (cache, files): decoded once, from local folders and from a bucket in memory; cut into shots."""

import sys

import imageio.v3 as iio
import numpy as np
import pytest

from vdiff_jax import sample
from vdiff_jax.errors import DataError
from vdiff_jax.training import cache


@pytest.fixture
def picture(bucket, tmp_path):
    """A picture that lies in a bucket, beside the sample and a file that can't be read."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    iio.imwrite(tmp_path / "a.png", pixels)
    bucket.pipe("/footage/deep/a.png", (tmp_path / "a.png").read_bytes())
    bucket.pipe("/footage/flower.mp4", sample.TRUTH.read_bytes())
    bucket.pipe("/footage/broken.mp4", b"no video")
    return pixels


def test_a_bucket_is_decoded_once_into_the_cache(picture, tmp_path, caplog):
    items = cache.decode("s3://footage", tmp_path / "cache", reduction=2.0)
    assert "skipped 1 unreadable" in caplog.text
    assert "broken.mp4" in caplog.text
    assert [item.source for item in items] == ["s3://footage/deep/a.png", "s3://footage/flower.mp4"]
    np.testing.assert_array_equal(items[0].frames()[0], picture)
    local = cache.decode(sample.TRUTH, tmp_path / "other", reduction=2.0)
    np.testing.assert_array_equal(items[1].frames(), local[0].frames())
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    cache.decode("s3://footage", tmp_path / "cache", reduction=2.0)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == kept


@pytest.mark.parametrize("name", ["s3://nothing-here", "no/such/folder"])
def test_a_missing_folder_is_named(bucket, tmp_path, name):
    with pytest.raises(DataError, match=name):
        cache.decode(name, tmp_path, reduction=1.0)


def test_a_folder_without_readable_files_is_named(tmp_path, caplog):
    (tmp_path / "footage").mkdir()
    for name in ("a.mp4", "b.png"):
        (tmp_path / "footage" / name).write_text("neither a video nor a picture")
    with pytest.raises(DataError, match="footage has no readable videos or photographs"):
        cache.decode(tmp_path / "footage", tmp_path / "cache", reduction=1.0)
    assert "skipped 2 unreadable files: a.mp4" in caplog.text


def test_the_missing_package_for_buckets_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(DataError, match=r"vdiff_jax\[cloud\]"):
        cache.decode("gs://footage", tmp_path, reduction=1.0)


def test_videos_are_cut_into_shots(tmp_path):
    ramp = np.linspace(0, 90, 64 * 96).reshape(64, 96, 1)
    frames = [np.broadcast_to(ramp + 3 * n, (64, 96, 3)) for n in range(8)]
    frames += [
        np.broadcast_to(250 - ramp.swapaxes(0, 1).reshape(64, 96, 1)[::-1] - 3 * n, (64, 96, 3)) for n in range(12)
    ]
    np.save(tmp_path / "a.npy", np.stack(frames).astype(np.uint8))
    training, validation = cache.split([cache.Item("a", tmp_path / "a.npy")] * 2)
    assert [len(shot) for shot in training.videos] == [8, 10, 8, 10]
    assert [len(video) for video in validation.videos] == [2, 2]
