"""The choice of an algorithm by trial clips: choosing/__init__.py, choice.py and contenders.py."""

import json

import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import infer, media
from vdiff_jax.choosing.choice import pick
from vdiff_jax.choosing.contenders import Result
from vdiff_jax.errors import InputError


def result(name, psnr, seconds):
    return Result(name, f"run {name}", psnr, seconds)


def test_a_noisy_video_is_denoised_and_every_contender_is_reported(capsys, sample_clips):
    assert infer.main(["choose", str(sample_clips / "noisy.mkv"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["task"] == "denoise"
    assert 10 < report["measures"]["sigma"] < 25
    assert {"base", "fast", "nlmeans", "dctdnoiz"} == {each["name"] for each in report["tried"]}
    gains = [each["gain"] for each in report["tried"]]
    assert gains == sorted(gains, reverse=True)
    assert all(each["seconds_per_frame"] > 0 for each in report["tried"])
    assert gains[0] > 3
    chosen = next(each for each in report["tried"] if each["name"] == report["choice"]["name"])
    assert report["choice"]["command"] == chosen["command"]


def test_a_coarsely_coded_video_is_deblocked(tmp_path, sample_clips):
    path = tmp_path / "coarse.mp4"
    with media.open_reader(sample_clips / "truth.mkv") as reader:
        writer = media.open_writer(path, reader.info, codec="libx264", options={"qp": "40"})
        with writer:
            for frame in reader:
                writer.write(frame)
    report = vdiff_jax.choose(path)
    assert report["task"] == "deblock"
    assert report["measures"]["quantiser"] == pytest.approx(40, abs=2)
    assert "quantiser" in report["trial"]["damage"]
    assert {"base", "fast", "deblock"} == {each["name"] for each in report["tried"]}


def test_a_clean_video_is_left_alone(tmp_path):
    pixels = media.PixelFormat(kind="rgb", full_range=True)
    info = media.VideoInfo(width=128, height=112, pixels=pixels)
    path = tmp_path / "clean.mkv"
    with media.open_writer(path, info, codec="ffv1") as writer:
        for n in range(4):
            writer.write(media.Frame((np.full((112, 128), 40 + n, np.uint8),) * 3, n))
    report = vdiff_jax.choose(path)
    assert (report["task"], report["trial"], report["tried"], report["choice"]) == (None, None, [], None)
    assert "left as it is" in report["why"]


def test_the_best_wins_unless_a_faster_one_is_nearly_equal():
    best, near, far = result("best", 34.0, 0.5), result("near", 33.9, 0.1), result("far", 33.0, 0.01)
    assert pick([best, near, far], 30.0, 100, 25.0)[0] is near
    assert pick([best, far], 30.0, 100, 25.0)[0] is best
    # Here a tenth of a dB is most of the gain.
    assert pick([best, near], 33.88, 100, 25.0)[0] is best


def test_a_contender_that_takes_too_long_loses():
    slow, quick = result("slow", 36.0, 10.0), result("quick", 33.0, 0.05)
    choice, why = pick([slow, quick], 30.0, 10_000, 25.0)
    assert choice is quick
    assert "slow would take longer" in why
    assert pick([slow], 30.0, 10_000, 25.0)[0] is slow


def test_a_contender_without_gain_is_not_chosen():
    choice, why = pick([result("best", 29.9, 0.1)], 30.0, 100, 25.0)
    assert choice is None
    assert "no contender improves" in why


def test_stdin_is_an_error():
    with pytest.raises(InputError, match="only once"):
        vdiff_jax.choose("-")
