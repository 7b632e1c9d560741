"""`--plan`: the plan, an estimate from the first frames, and nothing written."""

import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import infer, media
from vdiff_jax.restoration import forecast as module
from vdiff_jax.restoration.forecast import forecast


def test_the_estimate_is_near_what_the_repair_makes(tmp_path, sample_clips, monkeypatch):
    monkeypatch.setattr(module, "_FRAMES", 2)  # six frames of the eight are tried
    options = {"task": "denoise", "sigma": 0}
    made = vdiff_jax.repair(sample_clips / "truth.mkv", tmp_path / "out.mp4", plan=True, **options)
    assert list(tmp_path.iterdir()) == []
    assert made["frames"] == 8
    assert made["seconds"] == pytest.approx(8 / made["frames_per_second"], abs=0.1)
    vdiff_jax.repair(sample_clips / "truth.mkv", tmp_path / "out.mp4", **options)
    assert made["bytes"] == pytest.approx((tmp_path / "out.mp4").stat().st_size, rel=0.25)


def test_a_copy_takes_no_time_and_has_the_input_s_size(tmp_path, sample_clips):
    source = sample_clips / "truth.mkv"
    made = forecast(source, tmp_path / "out.mkv", task="denoise", sigma=0)
    assert (made["seconds"], made["bytes"]) == (0.0, source.stat().st_size)


def test_what_is_only_encoded_again_has_the_speed_of_the_encoder(tmp_path, sample_clips, monkeypatch):
    """Not that of frames that wait for it."""
    real, speed = module.repair, {"frames_per_second": 3.5}
    monkeypatch.setattr(module, "repair", lambda *names, **options: real(*names, **options) | speed)
    made = forecast(sample_clips / "truth.mkv", tmp_path / "out.mp4", task="denoise", sigma=0)
    assert made["frames_per_second"] == 3.5


def test_key_frames_count_once_in_250(tmp_path, monkeypatch):
    monkeypatch.setattr(media, "packet_sizes", lambda _: [1000, 100, 100])
    (tmp_path / "a.mkv").write_bytes(bytes(1260))
    assert module._bytes(str(tmp_path / "a.mkv"), 3, 300) == 2 * 1000 + 100 * 298 + 60 * 100


def test_the_command_prints_it_and_writes_nothing(tmp_path, sample_clips, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = str(sample_clips / "truth.mkv")
    assert infer.main(["repair", source, "-o", "out.mkv", "--plan", "--task", "denoise", "--sigma", "0"]) == 0
    printed = capsys.readouterr().out
    assert "160x96, 24 frames/s: nothing to do; sigma 0 was given" in printed
    assert "the file would be copied" in printed
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit) as stopped:
        infer.main(["repair", source])
    assert stopped.value.code == 2
    assert "required: -o/--output" in capsys.readouterr().err


def test_strength_is_checked_and_reaches_the_plan(sample_clips):
    clip = np.zeros((2, 64, 64, 3), np.uint8)
    with pytest.raises(vdiff_jax.errors.OptionError, match=r"strength 1\.5 is out of range"):
        vdiff_jax.repair(clip, strength=1.5)
    with pytest.raises(vdiff_jax.errors.OptionError, match="superres makes frames"):
        vdiff_jax.repair(clip, strength=0.5, scale=2, sigma=0)
