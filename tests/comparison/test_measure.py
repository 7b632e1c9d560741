"""The comparison of a video with its reference: metrics as other programs measure them; comparison/__init__.py."""

import json
import re

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import vdiff_jax
from vdiff_jax import infer, media
from vdiff_jax.errors import ClipError, FormatError, OutputError


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.repeat(rng.integers(0, 256, (20, 12, 16, 3), np.uint8), 4, axis=1), 4, axis=2)
    noise = rng.normal(0, 6, truth.shape)
    noise[7] *= 3
    return truth, np.clip(truth + noise, 0, 255).round().astype(np.uint8)


def write(clip, path):
    with media.open_writer(path, _info(clip), codec="ffv1") as writer:
        for n, frame in enumerate(clip):
            writer.write(media.Frame(tuple(np.moveaxis(frame, -1, 0)), n))
    return path


def _info(clip):
    pixels = media.PixelFormat(kind="rgb", full_range=True)
    return media.VideoInfo(width=clip.shape[2], height=clip.shape[1], pixels=pixels)


def test_metrics_agree_with_another_implementation(clips):
    truth, test = clips
    report = vdiff_jax.compare(truth, test)
    assert report["frames"] == 20
    psnr = [peak_signal_noise_ratio(*pair, data_range=255) for pair in zip(truth, test)]
    np.testing.assert_allclose(report["per_frame"]["psnr"], psnr, atol=2e-3)
    assert report["psnr"] == pytest.approx(np.mean(psnr), abs=1e-3)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    inner = [
        structural_similarity(*pair, channel_axis=-1, data_range=255, full=True, **wang)[1][5:-5, 5:-5].mean()
        for pair in zip(truth, test)
    ]
    assert report["ssim"] == pytest.approx(np.mean(inner), abs=1e-3)
    changes = np.abs(np.diff(test.astype(float) - truth, axis=0)).mean()
    assert report["temporal_error"] == pytest.approx(changes, rel=1e-3)


def test_equal_videos_have_the_best_metrics_as_valid_json(clips):
    report = vdiff_jax.compare(clips[0], clips[0])
    assert (report["psnr"], report["ssim"], report["temporal_error"]) == (100, 1, 0)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_arrays_and_files_give_the_same_metrics(clips, tmp_path):
    truth, test = (write(clip, tmp_path / f"{n}.mkv") for n, clip in enumerate(clips))
    one, other = vdiff_jax.compare(truth, test), vdiff_jax.compare(*clips)
    for name in ("psnr", "psnr_y", "ssim", "temporal_error", "vmaf"):
        assert one[name] == pytest.approx(other[name], abs=1e-4)


def test_frames_beyond_the_shorter_video_are_ignored_with_a_warning(clips, caplog):
    report = vdiff_jax.compare(clips[0], clips[1][:5])
    assert report["frames"] == 5
    assert "reference has more frames: the first 5" in caplog.text


def test_the_page_shows_the_worst_frame_first(clips, tmp_path):
    target = tmp_path / "page.html"
    vdiff_jax.compare(*clips, html=target)
    with pytest.raises(OutputError, match="is a folder: pass the name of a file"):
        vdiff_jax.compare(*clips, html=tmp_path)
    page = target.read_text()
    assert re.findall(r"<figcaption>frame (\d+)", page)[0] == "7"
    assert page.count("data:image/png") == 9


def test_other_sizes_and_arrays_that_are_not_clips_are_errors(clips):
    with pytest.raises(FormatError, match="64x48, test is 32x48"):
        vdiff_jax.compare(clips[0], clips[1][:, :, :32])
    with pytest.raises(ClipError, match="t h w c"):
        vdiff_jax.compare(clips[0], clips[1][0])
    with pytest.raises(ClipError, match="NaN"):
        vdiff_jax.compare(clips[0], np.full(clips[0].shape, np.nan, np.float32))


def test_the_command_prints_json(clips, tmp_path, capsys):
    truth, test = (str(write(clip, tmp_path / f"{n}.mkv")) for n, clip in enumerate(clips))
    assert infer.main(["compare", truth, test, "--json"]) == 0
    assert {"psnr", "psnr_y", "ssim", "vmaf"} <= json.loads(capsys.readouterr().out).keys()
    assert infer.main(["compare", truth, str(tmp_path / "none.mkv")]) == 1
    assert "none.mkv" in capsys.readouterr().err
