"""The command line, run as a user runs it."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest

from vdiff_jax import infer, media, sample
from vdiff_jax.cli import progress


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "vdiff_jax.infer", *map(str, arguments)]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def shorten(source, target, *, seconds: float, **options) -> None:
    """The beginning of a video, without loss."""
    with media.open_reader(source, stop=seconds) as reader, media.open_writer(target, reader.info, **options) as writer:
        for frame in reader:
            writer.write(frame)


def frames(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(np.float32)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a - b) ** 2)))


SUPERRES = [str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "superres", "--sigma", "0"]
COLORIZE = [str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "colorize"]


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repaired")
    done = run("repair", "-o", folder / "repaired.mp4", "--report", folder / "report.json")
    assert done.returncode == 0, done.stderr
    return folder


def test_sample_comes_out_closer_to_its_truth(repaired):
    truth, noisy, result = (frames(p) for p in (sample.TRUTH, sample.NOISY, repaired / "repaired.mp4"))
    assert result.shape == noisy.shape
    assert psnr(result, truth) > psnr(noisy, truth) + 8


def test_sound_and_time_stamps_are_kept(repaired):
    def packets(path, kind):
        with av.open(str(path)) as container:
            stream = getattr(container.streams, kind)[0]
            return [(float(p.pts * stream.time_base), bytes(p)) for p in container.demux(stream) if p.dts is not None]

    before, after = (packets(p, "audio") for p in (sample.NOISY, repaired / "repaired.mp4"))
    assert [data for _, data in before] == [data for _, data in after]
    times = [sorted(t for t, _ in packets(p, "video")) for p in (sample.NOISY, repaired / "repaired.mp4")]
    np.testing.assert_allclose(*times, atol=1e-3)


def test_report_says_what_was_done(repaired):
    report = json.loads((repaired / "report.json").read_text())
    assert (report["frames"], report["width"], report["height"]) == (60, 480, 270)
    assert report["plan"]["tasks"] == ["inpaint", "denoise"]
    assert 10 < report["plan"]["sigma"] < 25
    assert report["frames_per_second"] > 0
    assert report["peak_memory_bytes"] > 0


def test_help_answers_at_once():
    best = []
    for _ in range(3):
        begun = time.monotonic()
        assert run("repair", "--help").returncode == 0
        best.append(time.monotonic() - begun)
    assert (
        "jax"
        not in subprocess.run(
            [sys.executable, "-c", "import sys, vdiff_jax.infer; print(*sys.modules)"], capture_output=True, text=True
        ).stdout.split()
    )
    assert min(best) < 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/black.png"], "black everywhere"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/white.png"], "white everywhere"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/masks", "--to", "0.3"], "has 2 pictures"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--grow", "2"], "--mask"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/white.png", "--grow", "-1"], "grow -1"),
        (["{folder}/none.mp4", "-o", "{folder}/out.mp4"], "none.mp4"),
        (["{folder}/empty.mp4", "-o", "{folder}/out.mp4"], "empty"),
        (["{folder}/text.mp4", "-o", "{folder}/out.mp4"], "text.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/no/such/out.mp4"], "out.mp4"),
        ([str(sample.TRUTH), "-o", str(sample.TRUTH)], "flower.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--task", "inpaint"], "mask"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--mask", "{folder}/small.png"], "480x270"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--sigma", "300"], "300"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--weights", "{folder}/text.mp4"], "text.mp4"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--weights", "none"], "none"),
        ([str(sample.TRUTH), "-o", "{folder}/out.mp4", "--fps", "50"], "interpolate"),
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
def test_bad_input_is_one_named_line(tmp_path, capsys, arguments, says):
    import imageio.v3 as iio

    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    iio.imwrite(tmp_path / "small.png", np.full((9, 9), 255, np.uint8))
    iio.imwrite(tmp_path / "coloured.png", np.random.default_rng(0).integers(0, 256, (270, 480, 3), np.uint8))
    (tmp_path / "masks").mkdir()
    for name, level in (("black", 0), ("white", 255), ("masks/0", 255), ("masks/1", 255)):
        iio.imwrite(tmp_path / f"{name}.png", np.full((270, 480), level, np.uint8))
    before = sorted(tmp_path.iterdir())
    # The command and its sigma are given, so that nothing is measured before the error.
    code = infer.main(["repair", *(a.format(folder=tmp_path) for a in arguments)])
    error = capsys.readouterr().err.strip()
    assert code == 1
    assert len(error.splitlines()) == 1
    assert says in error
    assert sorted(tmp_path.iterdir()) == before


def test_wrong_usage_exits_with_2():
    assert run("repair").returncode == 2


def test_mask_alone_leaves_every_other_sample(tmp_path):
    import imageio.v3 as iio

    mask = np.zeros((270, 480), np.uint8)
    mask[100:140, 200:260] = 255
    iio.imwrite(tmp_path / "mask.png", mask)
    target = tmp_path / "out.mkv"
    code = infer.main(
        f"repair {sample.TRUTH} -o {target} --task inpaint --mask {tmp_path}/mask.png --codec ffv1 --to 0.3".split()
    )
    assert code == 0
    with av.open(str(sample.TRUTH)) as a, av.open(str(target)) as b:
        for before, after, _ in zip(a.decode(video=0), b.decode(video=0), range(3)):
            x, y = (np.asarray(frame.to_ndarray()) for frame in (before, after))
            luma_x, luma_y = x[:270].copy(), y[:270].copy()
            assert (luma_x[100:140, 200:260] != luma_y[100:140, 200:260]).any()
            luma_x[100:140, 200:260] = luma_y[100:140, 200:260] = 0
            np.testing.assert_array_equal(luma_x, luma_y)


def test_interpolation_keeps_the_frames_that_exist(tmp_path):
    target = tmp_path / "out.mkv"
    rate = media.probe(sample.TRUTH).rate
    code = infer.main(
        f"repair {sample.TRUTH} -o {target} --task interpolate --fps {2 * rate} --codec ffv1 --to 0.3".split()
    )
    assert code == 0
    with media.open_reader(sample.TRUTH, stop=0.3) as reader:
        given = [frame.planes for frame in reader]
    with media.open_reader(target) as reader:
        assert reader.info.rate == 2 * rate
        made = [frame.planes for frame in reader]
    assert len(made) == 2 * len(given) - 1
    for before, after in zip(given, made[::2]):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
    given, made = ([planes[0] for planes in video] for video in (given, made))
    middle = np.stack(made[1::2]).astype(float)
    apart = np.abs(np.stack(given[1:]).astype(float) - given[:-1]).mean()
    assert np.abs(middle - given[:-1]).mean() < apart
    assert np.abs(middle - given[1:]).mean() < apart


def test_a_pipe_carries_a_video_in_and_out(tmp_path):
    shorten(sample.NOISY, tmp_path / "in.y4m", seconds=0.3)
    with (tmp_path / "in.y4m").open("rb") as pipe:
        arguments = command("repair", "-", "-o", "-", "--mask", sample.MASK, "--weights", "fast")
        done = subprocess.run(arguments, stdin=pipe, capture_output=True, timeout=300)
    assert done.returncode == 0
    assert done.stderr == b""
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    with media.open_reader(tmp_path / "in.y4m") as before, media.open_reader(tmp_path / "out.y4m") as after:
        assert (after.info.rate, after.info.pixels) == (before.info.rate, before.info.pixels)
    noisy, result = frames(tmp_path / "in.y4m"), frames(tmp_path / "out.y4m")
    truth = frames(sample.TRUTH)[: len(noisy)]
    assert len(result) == len(noisy) > 4
    assert psnr(result, truth) > psnr(noisy, truth) + 8


def test_a_folder_of_videos_over_two_devices(tmp_path):
    (tmp_path / "in").mkdir()
    shorten(sample.NOISY, tmp_path / "in" / "a.mkv", seconds=0.2, codec="ffv1")
    shorten(sample.TRUTH, tmp_path / "in" / "b.mkv", seconds=0.2, codec="ffv1")
    (tmp_path / "in" / "empty.mkv").touch()
    options = ["--task", "denoise", "--sigma", "20", "--weights", "fast", "--codec", "ffv1"]
    report = tmp_path / "report.json"
    batch = run(
        "repair", tmp_path / "in", "-o", tmp_path / "out", *options, "--report", report, JAX_NUM_CPU_DEVICES="2"
    )
    assert batch.returncode == 1
    assert len(batch.stderr.splitlines()) == 1
    assert batch.stderr.startswith("error: empty.mkv: ")
    told = json.loads(report.read_text())
    assert told["files"].keys() == {"a.mkv", "b.mkv"}
    assert told["failures"].keys() == {"empty.mkv"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mkv", "b.mkv"]
    assert infer.main(["repair", str(tmp_path / "in" / "b.mkv"), "-o", str(tmp_path / "alone.mkv"), *options]) == 0
    np.testing.assert_array_equal(frames(tmp_path / "out" / "b.mkv"), frames(tmp_path / "alone.mkv"))


def test_what_is_left_of_a_truncated_video_is_repaired(tmp_path, capfd):
    shorten(sample.NOISY, tmp_path / "whole.mkv", seconds=1, codec="ffv1")
    content = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    target = tmp_path / "out.mkv"
    options = ["--task", "denoise", "--sigma", "20", "--weights", "fast", "--codec", "ffv1"]
    assert infer.main(["repair", str(tmp_path / "cut.mkv"), "-o", str(target), *options]) == 0
    whole, count = len(frames(tmp_path / "whole.mkv")), len(frames(target))
    assert whole / 3 < count < whole * 2 / 3
    assert f"{count} of about {whole} frames were read" in capfd.readouterr().err


def test_an_interruption_that_was_swallowed_ends_with_the_next_frame():
    try:
        with progress.progress_bar(argparse.Namespace(quiet=True), "-") as count:
            count(1)
            with pytest.raises(KeyboardInterrupt):
                progress.end_now()
            with pytest.raises(KeyboardInterrupt):
                count(2)
    finally:
        progress.asked_to_end.clear()


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    started = subprocess.Popen(command("repair", sample.NOISY, "-o", tmp_path / "out.mkv", "--sigma", "20"))
    while not any(tmp_path.iterdir()):  # until it writes, beside its target
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=60) == 130
    assert not any(tmp_path.iterdir())
