"""The command line, run as a user runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from vdiff_jax import infer, media, sample


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vdiff_jax.infer", *map(str, arguments)]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def frames(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(np.float32)


def lumas(path) -> np.ndarray:
    with media.open_reader(path) as reader:
        return np.stack([frame.planes[0] for frame in reader])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


SUPERRES = [str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "superres", "--sigma", "0"]
DENOISE = ["--task", "denoise", "--sigma", "20", "--codec", "ffv1"]
COLORIZE = [str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "colorize"]


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    """The results of the command in README, for 4 frames of the sample."""
    folder = tmp_path_factory.mktemp("repaired")
    words = ["repair", "-o", folder / "repaired.mp4", "--report", folder / "report.json", "--to", "0.16"]
    assert infer.main(list(map(str, words))) == 0
    return folder


def test_the_sample_is_repaired(repaired):
    truth, noisy, result = (frames(p) for p in (sample.TRUTH, sample.NOISY, repaired / "repaired.mp4"))
    assert result.shape == (4, *noisy.shape[1:])
    assert psnr(result, truth[:4]) > psnr(noisy[:4], truth[:4]) + 8


def test_sound_and_time_stamps_are_kept(repaired):
    def packets(path, kind):
        with av.open(str(path)) as container:
            stream = getattr(container.streams, kind)[0]
            return [(float(p.pts * stream.time_base), bytes(p)) for p in container.demux(stream) if p.dts is not None]

    before, after = (packets(p, "audio") for p in (sample.NOISY, repaired / "repaired.mp4"))
    assert len(after) > 4
    assert [data for _, data in before[: len(after)]] == [data for _, data in after]
    times = [sorted(t for t, _ in packets(p, "video"))[:4] for p in (sample.NOISY, repaired / "repaired.mp4")]
    np.testing.assert_allclose(*times, atol=1e-3)


def test_the_report_says_what_was_done(repaired):
    report = json.loads((repaired / "report.json").read_text())
    assert (report["frames"], report["width"], report["height"]) == (4, 480, 270)
    assert report["plan"]["tasks"] == ["inpaint", "denoise"]
    assert 10 < report["plan"]["sigma"] < 25
    assert report["frames_per_second"] > 0
    assert report["peak_memory_bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/black.png"], "black everywhere"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/white.png"], "white everywhere"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/masks", "--to", "0.3"], "has 2 pictures"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--grow", "2"], "--mask"),
        (["{folder}/none.mp4", "-o", "{folder}/out.mp4"], "none.mp4"),
        (["{folder}/empty.mp4", "-o", "{folder}/out.mp4"], "empty"),
        (["{folder}/text.mp4", "-o", "{folder}/out.mp4"], "text.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/no/such/out.mp4"], "out.mp4"),
        ([str(sample.TRUTH), "-o", str(sample.TRUTH)], "flower.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--report", "{folder}/no/r.json"], "there is no folder"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "inpaint"], "mask"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/small.png"], "480x270"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--crf", "60"], "crf 60 is out of range for libx264"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--preset", "8"], "veryfast"),
        ([str(sample.TRUTH), "-o", "{folder}/out.webm", "--audio-codec", "aac"], "can't hold aac"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mkv", "--hardware", "--codec", "ffv1"], "--hardware"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--weights", "{folder}/text.mp4"], "text.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--weights", "none"], "none"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--fps", "50", "--task", "denoise"], "interpolate"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--fps", "60", "--scale", "2"], "interpolate"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "interpolate"], "--fps"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "interpolate", "--fps", "10"], "10"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "interpolate", "--slow", "0.5"], "0.5"),
        ([*SUPERRES, "--scale", "0.5"], "scale 0.5"),
        ([*SUPERRES, "--size", "480x200"], "480x200"),
        ([*SUPERRES, "--size", "300000x200000"], "GB of memory"),
        (COLORIZE, "--reference"),
        ([*COLORIZE, "--force", "--reference", "{folder}/small.png"], "9x9"),
        ([*COLORIZE, "--reference", "{folder}/coloured.png"], "--force"),
        ([*COLORIZE, "--force", "--reference", "600:{folder}/coloured.png"], "frame 600"),
    ],
)
def test_a_bad_input_is_an_error_of_one_line(tmp_path, capsys, arguments, says):
    import imageio.v3 as iio

    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    iio.imwrite(tmp_path / "small.png", np.full((9, 9), 255, np.uint8))
    iio.imwrite(tmp_path / "coloured.png", np.random.default_rng(0).integers(0, 256, (270, 480, 3), np.uint8))
    (tmp_path / "masks").mkdir()
    for name, level in (("black", 0), ("white", 255), ("masks/0", 255), ("masks/1", 255)):
        iio.imwrite(tmp_path / f"{name}.png", np.full((270, 480), level, np.uint8))
    before = sorted(tmp_path.iterdir())
    code = infer.main(["repair", *(a.format(folder=tmp_path) for a in arguments)])
    error = capsys.readouterr().err.strip()
    assert code == 1
    lines = error.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    assert says in lines[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_a_mask_alone_leaves_every_other_sample(tmp_path, sample_clips, tiny):
    import imageio.v3 as iio

    mask = np.zeros((96, 160), np.uint8)
    mask[30:60, 50:90] = 255
    iio.imwrite(tmp_path / "mask.png", mask)
    source, target = sample_clips / "truth.mkv", tmp_path / "out.mkv"
    options = f"--task inpaint --mask {tmp_path}/mask.png --codec ffv1 --to 0.15 --weights {tiny}".split()
    assert infer.main(["repair", str(source), "-o", str(target), *options]) == 0
    for before, after in zip(lumas(source), lumas(target)):
        changed = before != after
        assert changed[30:60, 50:90].any()
        changed[30:60, 50:90] = False
        assert not changed.any()


def test_interpolation_keeps_the_frames_of_the_input(tmp_path, sample_clips):
    source, target = sample_clips / "truth.mkv", tmp_path / "out.mkv"
    rate = media.probe(source).rate
    options = f"--task interpolate --fps {2 * rate} --codec ffv1".split()
    assert infer.main(["repair", str(source), "-o", str(target), *options]) == 0
    assert media.probe(target).rate == 2 * rate
    with media.open_reader(source) as before, media.open_reader(target) as after:
        given, result = ([frame.planes for frame in reader] for reader in (before, after))
    assert len(result) == 2 * len(given) - 1
    for planes, kept in zip(given, result[::2]):
        for one, other in zip(planes, kept, strict=True):
            np.testing.assert_array_equal(one, other)
    given, result = ([planes[0] for planes in video] for video in (given, result))
    middle = np.stack(result[1::2]).astype(float)
    distance = np.abs(np.stack(given[1:]).astype(float) - given[:-1]).mean()
    assert np.abs(middle - given[:-1]).mean() < distance
    assert np.abs(middle - given[1:]).mean() < distance


def test_a_video_is_piped_in_and_out(tmp_path, sample_clips, tiny):
    """It gives the frames that files give."""
    source, piped = media.open_reader(sample_clips / "noisy.mkv", stop=0.16), tmp_path / "in.y4m"
    with source, media.open_writer(piped, source.info) as writer:
        for frame in source:
            writer.write(frame)
    with piped.open("rb") as pipe:
        options = ["--mask", str(sample_clips / "mask.mkv"), "--weights", tiny]
        done = subprocess.run(command("repair", "-", "-o", "-", *options), stdin=pipe, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    start, end = done.stderr.decode().splitlines()[:: len(done.stderr.splitlines()) - 1]
    assert start.startswith(f"-: 160x96, 24 frames/s: inpaint and denoise with {tiny} on cpu; ")
    assert end.startswith("stdout: inpaint and denoise, ")
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    with media.open_reader(piped) as before, media.open_reader(tmp_path / "out.y4m") as after:
        assert (after.info.rate, after.info.pixels) == (before.info.rate, before.info.pixels)
    assert infer.main(["repair", str(piped), "-o", str(tmp_path / "file.mkv"), "--codec", "ffv1", *options]) == 0
    given, expected, result = map(frames, (piped, tmp_path / "file.mkv", tmp_path / "out.y4m"))
    assert len(result) == len(given) > 3
    np.testing.assert_array_equal(result, expected)
    assert (result != given).any()


def test_fast_removes_noise_and_fills_holes_at_once(tmp_path, sample_clips):
    noisy, result = sample_clips / "noisy.mkv", tmp_path / "out.mkv"
    options = ["--mask", str(sample_clips / "mask.mkv"), "--weights", "fast", "--to", "0.16"]
    assert infer.main(["repair", str(noisy), "-o", str(result), *options]) == 0
    made = frames(result)
    given, truth = (frames(path)[: len(made)] for path in (noisy, sample_clips / "truth.mkv"))
    assert len(made) > 3
    assert psnr(made, truth) > psnr(given, truth) + 6


def test_two_devices_share_a_folder_of_videos(tmp_path, sample_clips, tiny):
    (tmp_path / "in").mkdir()
    for name, clip in (("a", "noisy"), ("b", "truth")):
        shutil.copy(sample_clips / f"{clip}.mkv", tmp_path / "in" / f"{name}.mkv")
    (tmp_path / "in" / "empty.mkv").touch()
    report, folders = tmp_path / "report.json", (tmp_path / "in", "-o", tmp_path / "out")
    options = [*DENOISE, "--weights", tiny]
    batch = run("repair", *folders, *options, "--report", report, JAX_NUM_CPU_DEVICES="2")
    assert batch.returncode == 1
    lines = batch.stderr.splitlines()
    assert [line for line in lines if "error" in line] == lines[-1:]
    assert lines[-1].startswith("error: empty.mkv: ")
    assert re.search(r"file \d of 3: a\.mkv: ", batch.stderr)  # two devices take them in any order
    results = json.loads(report.read_text())
    assert results["files"].keys() == {"a.mkv", "b.mkv"}
    assert results["failures"].keys() == {"empty.mkv"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mkv", "b.mkv"]
    assert infer.main(["repair", str(tmp_path / "in" / "b.mkv"), "-o", str(tmp_path / "alone.mkv"), *options]) == 0
    np.testing.assert_array_equal(frames(tmp_path / "out" / "b.mkv"), frames(tmp_path / "alone.mkv"))


def test_a_batch_of_tapes_and_broadcasts_gets_results_that_can_be_written(tmp_path, flash_clip, flashes_and_beeps):
    (tmp_path / "in").mkdir()
    delays = {}
    for name, sound in (("tape.avi", "pcm_s16le"), ("broadcast.ts", "mp2"), ("dvd.mpg", "mp2")):
        flash_clip(tmp_path / "in" / name, sound=sound)
        delays[f"{Path(name).stem}.mkv"] = np.subtract(*flashes_and_beeps(tmp_path / "in" / name))
    delays["tape.mkv"] = 0  # FFmpeg reads an AVI's pictures a frame late
    done = infer.main(
        ["repair", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--task", "denoise", "--sigma", "0"]
    )
    assert done == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == delays.keys()
    for name, delay in delays.items():
        np.testing.assert_allclose(np.subtract(*flashes_and_beeps(tmp_path / "out" / name)), delay, atol=0.002)


def test_a_truncated_video_is_repaired_as_far_as_it_goes(tmp_path, sample_clips, tiny, capfd):
    whole = sample_clips / "noisy.mkv"
    content = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    target = tmp_path / "out.mkv"
    assert infer.main(["repair", str(tmp_path / "cut.mkv"), "-o", str(target), *DENOISE, "--weights", tiny]) == 0
    count = len(frames(target))
    assert 2 < count < 6
    assert f"{count} of about 8 frames were read" in capfd.readouterr().err


def test_ctrl_c_leaves_nothing_behind(tmp_path, tiny):
    started = subprocess.Popen(
        command("repair", sample.NOISY, "-o", tmp_path / "out.mkv", "--sigma", "20", "--weights", tiny)
    )
    while not any(tmp_path.iterdir()):  # until it writes, beside its target
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=60) == 130
    assert not any(tmp_path.iterdir())
