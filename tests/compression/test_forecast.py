"""`compress --plan`: what it says, that its estimates are near the truth, and that it writes nothing."""

import pytest

from vdiff_jax import infer
from vdiff_jax.compression import compress
from vdiff_jax.compression import forecast as module
from vdiff_jax.compression.forecast import forecast
from vdiff_jax.errors import OutputError


def options(weights, **changes) -> dict:
    chosen = {"codec": "h264", "crf": 36, "bitrate": None, "target_vmaf": None, "preset": None, "adapt": "none"}
    return {**chosen, "weights": weights, **changes}


def test_the_size_is_that_of_the_file(tmp_path, source, tiny):
    made = forecast(source, tmp_path / "small.mp4", **options(tiny))
    assert list(tmp_path.iterdir()) == []
    assert (made["frames"], made["plan"]["crf"], made["plan"]["tried"]) == (14, "36.00", [])
    assert 0 < made["seconds"] < made["seconds_at_most"]
    compress(source, tmp_path / "small.mp4", **options(tiny))
    assert made["bytes"] == pytest.approx((tmp_path / "small.mp4").stat().st_size, rel=0.2)


def test_a_bit_rate_gives_the_size(tmp_path, source, tiny):
    made = forecast(source, tmp_path / "small.mp4", **options(tiny, crf=None, bitrate=200_000.0))
    sound = made["bytes"] - 200_000 * 14 / 24 / 8
    assert 0 <= sound < source.stat().st_size
    assert "for 200 kbit/s" in made["text"]


def test_fast_names_what_there_is_no_time_for_and_best_tries_all(tmp_path, source, tiny, monkeypatch):
    monkeypatch.setattr(module, "_plain_seconds", lambda encoder: 1.0)
    made = forecast(source, tmp_path / "small.mp4", **options(tiny, adapt="fast"))
    assert (made["plan"]["tried"], made["plan"]["not_tried"]) == (["the network tiny"], ["every second frame"])
    assert made["seconds_at_most"] == pytest.approx(2 * 1 + 8, abs=0.5)
    best = forecast(source, tmp_path / "small.mp4", **options(tiny, adapt="best"))
    assert (best["plan"]["tried"], best["plan"]["not_tried"]) == (["the network tiny", "every second frame"], [])
    assert best["seconds_at_most"] > made["seconds_at_most"]


def test_a_target_probes_the_tracks_variants_whatever_the_time(tmp_path, source, tiny):
    made = forecast(source, tmp_path / "small.mp4", **options(tiny, crf=None, target_vmaf=80.0))
    assert made["plan"]["tried"] == ["every second frame"]
    assert "for VMAF 80" in made["text"]


def test_the_command_needs_no_output_and_checks_one_that_is_given(tmp_path, source, tiny, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["compress", str(source), "--plan", "--weights", str(tiny), "--adapt", "none", "--crf", "36"]
    assert infer.main([*words, "--report", "plan.json"]) == 0
    printed = capsys.readouterr().out
    assert "98x66, 24 frames/s: libx264 at crf 36.00, preset medium" in printed
    assert "to encode 14 frames" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    with pytest.raises(OutputError, match=r"end the name in \.mkv or \.mp4"):
        forecast(source, tmp_path / "small.avi", **options(tiny))
