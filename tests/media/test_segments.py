"""Segments: a file whose packets come from several runs equals one that was written in one run."""

import dataclasses
import logging
import time
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import ResumeError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_writer
from vdiff_jax.media.segments import packets_of
from vdiff_jax.runtime.array_files import read_arrays, write_arrays
from vdiff_jax.runtime.checkpoint_files import Checkpoint, find_checkpoint
from vdiff_jax.runtime.checkpoints import Checkpoints

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))
INFO = VideoInfo(width=96, height=64, pixels=YUV, rate=Fraction(25), time_base=Fraction(1, 1000))
COUNT, EVERY = 40, 8
STEPS = np.where(np.arange(COUNT) % 11 > 7, 90, 33)
"""Milliseconds from frame to frame: the rate varies."""


class StoppedError(Exception):
    """Stands for a run that is killed."""


def frames(info=INFO):
    noise = np.random.default_rng(0)
    for number in range(COUNT):
        ramp = np.add.outer(np.arange(64), 2 * np.arange(96)) + 3 * number
        planes = tuple(
            (ramp[: shape[0], : shape[1]] + noise.integers(0, 9, shape)).astype(np.uint8)
            for shape in info.pixels.plane_shapes(96, 64)
        )
        yield Frame(planes, int(STEPS[:number].sum()))


def write(target, checkpoints, *, info=INFO, stop=None, **encoder):
    with open_writer(target, info, checkpoints=checkpoints, **encoder) as writer:
        for number, frame in enumerate(frames(info), start=1):
            if number == stop:
                while checkpoints.frames < (number - 1) // EVERY * EVERY:  # the encoder has a queue
                    time.sleep(0.01)
                raise StoppedError
            if number > checkpoints.begun.frames:
                if checkpoints.propose(number, 0):
                    checkpoints.keep(number, "step", [np.array([number])])
                writer.write(frame)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("out.mp4", "libx264", {"preset": "medium"}),
        ("out.mkv", "libx265", {"preset": "fast"}),
        ("out.mkv", "ffv1", None),
        ("out.webm", "libvpx-vp9", None),
        ("out.mp4", "libsvtav1", {"preset": "12"}),
        ("out.mov", "prores_ks", None),
        ("out.gif", None, None),
        ("frames/", None, None),
        ("out.y4m", None, None),
    ],
)
def test_a_run_that_was_stopped_twice_gives_the_bytes_of_one_never_stopped(tmp_path, name, codec, options):
    (tmp_path / "whole").mkdir()
    encoder = {"codec": codec, "options": options}
    write(f"{tmp_path}/whole/{name}", Checkpoints(tmp_path / "whole" / "kept", every=EVERY), **encoder)
    folder = tmp_path / "kept"
    for stop in (EVERY + 3, 3 * EVERY + 1):
        with pytest.raises(StoppedError):
            write(
                f"{tmp_path}/{name}",
                Checkpoints(folder, every=EVERY, begun=find_checkpoint(folder, {})),
                stop=stop,
                **encoder,
            )
    begun = find_checkpoint(folder, {})
    assert begun.frames == 3 * EVERY
    write(f"{tmp_path}/{name}", Checkpoints(folder, every=EVERY, begun=begun), **encoder)
    assert contents(tmp_path / name) == contents(tmp_path / "whole" / name)
    assert not folder.exists()
    assert not list(tmp_path.glob(".vdiff*"))


def contents(path):
    """The packets of a file with their times and side data, or the bytes of the pictures in a folder."""
    if path.is_dir():
        return {each.name: each.read_bytes() for each in path.iterdir()}
    with av.open(path) as file:
        return [
            (p.pts, p.dts, p.duration, p.is_keyframe, bytes(p), [bytes(side) for side in p.iter_sidedata()])
            for p in file.demux(video=0)
        ]


def test_frames_keep_their_times_where_segments_meet(tmp_path):
    write(tmp_path / "cut.mp4", Checkpoints(tmp_path / "kept", every=EVERY), codec="libx264")
    with av.open(tmp_path / "cut.mp4") as file:
        times = [frame.pts * frame.time_base for frame in file.decode(video=0)]
        file.seek(0)
        decoded = [packet.dts for packet in file.demux(video=0) if packet.size]
    np.testing.assert_allclose(np.diff([float(time) for time in times]), STEPS[:-1] / 1000, atol=1e-9)
    assert (np.diff(decoded) > 0).all()


def test_a_transparent_video_keeps_its_alpha_where_segments_meet(tmp_path):
    info = dataclasses.replace(INFO, pixels=dataclasses.replace(YUV, alpha=True))
    folder = tmp_path / "kept"
    with pytest.raises(StoppedError):
        write(tmp_path / "a.webm", Checkpoints(folder, every=EVERY), info=info, stop=2 * EVERY)
    write(tmp_path / "a.webm", Checkpoints(folder, every=EVERY, begun=find_checkpoint(folder, {})), info=info)
    write(tmp_path / "b.webm", Checkpoints(tmp_path / "other", every=EVERY), info=info)
    made = contents(tmp_path / "a.webm")
    assert made == contents(tmp_path / "b.webm")
    assert all(side for *_, side in made[:-1])


def kept(tmp_path, about=None):
    """A folder with two checkpoints."""
    folder = tmp_path / "out.mkv.resume"
    with pytest.raises(StoppedError):
        write(tmp_path / "out.mkv", Checkpoints(folder, about, every=EVERY), stop=2 * EVERY + 2, codec="ffv1")
    return folder


@pytest.mark.parametrize(
    ("name", "was", "now", "says"),
    [
        (
            "input",
            [{"name": "a.mp4", "bytes": 1}],
            [{"name": "a.mp4", "bytes": 2}],
            r"input a\.mp4 has changed \(bytes\)",
        ),
        ("input", [{"name": "a.mp4"}], [{"name": "b.mp4"}], 'input was "a.mp4" and is now "b.mp4"'),
        ("options", {"crf": "10"}, {"crf": "12"}, 'crf was "10" and is now "12"'),
        ("options", None, {"crf": "12"}, "options was null and is now"),
        ("input", [{"name": "a.mp4"}], [None], "input was .* and is now null"),
    ],
)
def test_what_differs_of_an_earlier_run_is_named_briefly(tmp_path, name, was, now, says):
    with pytest.raises(ResumeError, match=f"can't be resumed: {says}"):
        find_checkpoint(kept(tmp_path, {name: was}), {name: now})


def test_another_input_option_or_version_is_refused_and_named(tmp_path):
    folder = kept(tmp_path, {"version": "1", "sigma": 5.0})
    with pytest.raises(ResumeError, match=r"sigma was 5\.0 and is now 7\.0"):
        find_checkpoint(folder, {"version": "1", "sigma": 7.0})
    with pytest.raises(ResumeError, match='version was "1" and is now "2": resume it with the version'):
        find_checkpoint(folder, {"version": "2", "sigma": 5.0})
    with pytest.raises(ResumeError, match="grow was null and is now 3"):
        find_checkpoint(folder, {"version": "1", "sigma": 5.0, "grow": 3})
    assert find_checkpoint(folder, {"version": "1", "sigma": 5.0}).frames == 2 * EVERY


@pytest.mark.parametrize("name", ["000000016.json", "000000016.step.npz", "000000016.packets.npz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_half_a_segment_counts_for_nothing(tmp_path, caplog, name, damage):
    folder = kept(tmp_path)
    data = bytearray((folder / name).read_bytes())
    if damage == "gone":
        (folder / name).unlink()
    else:
        data[len(data) // 2] ^= 255
        (folder / name).write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    with caplog.at_level(logging.WARNING):
        found = find_checkpoint(folder, {})
    assert found == Checkpoint(frames=EVERY, states=("step",))
    assert damage == "gone" or "000000016" in caplog.text


def test_packets_whose_tables_contradict_each_other_are_refused(tmp_path):
    data, table, side_data, sides = read_arrays(kept(tmp_path) / "000000008.packets.npz")
    for wrong in (
        [data[1:], table, side_data, sides],
        [data, -table, side_data, sides],
        [data, table[:, :5], side_data, sides],
        [data, table, side_data, np.array([[99, 0, 1]])],
        [data, table, np.zeros(1, np.uint8), np.array([[0, -1, 1]])],
        [data, table.astype(float), side_data, sides],
    ):
        for arrays in (wrong, [data, table, side_data, sides, *wrong], wrong[:3]):
            with pytest.raises(ResumeError, match="damaged"):
                list(packets_of(arrays, "here"))
    assert len(list(packets_of([data, table, side_data, sides] * 2, "here"))) == 2 * EVERY


@pytest.mark.parametrize("kept", [True, False])
def test_packets_do_not_pile_up_in_memory(tmp_path, kept):
    """Neither until the next checkpoint, nor where there are no checkpoints."""
    info, noise = dataclasses.replace(INFO, width=320, height=240), np.random.default_rng(0)
    shapes = info.pixels.plane_shapes(320, 240)
    checkpoints = Checkpoints(tmp_path / "kept" if kept else None, every=1000)
    tracemalloc.start()
    with open_writer(tmp_path / "out.mkv", info, codec="ffv1", checkpoints=checkpoints) as writer:
        for number in range(150):
            writer.write(Frame(tuple(noise.integers(0, 256, shape, np.uint8) for shape in shapes), 40 * number))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "out.mkv").stat().st_size > 15e6
    assert peak < 6e6


def test_arrays_that_claim_more_than_their_file_holds_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, [np.arange(6).reshape(2, 3), np.array([], np.float32)])
    read = read_arrays(path)
    np.testing.assert_array_equal(read[0], [[0, 1, 2], [3, 4, 5]])
    assert read[1].shape == (0,)
    np.savez(path, np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(ResumeError, match="can't be read"):
        read_arrays(path)
    np.savez_compressed(path, np.zeros(10**6))
    with pytest.raises(ResumeError, match="damaged"):
        read_arrays(path)


def test_a_folder_that_cannot_be_written_costs_only_the_chance_to_resume(tmp_path, caplog, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "kept", every=EVERY)
    monkeypatch.setattr("vdiff_jax.runtime.array_files.ArrayFile.add", full)
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "out.mkv", checkpoints, codec="ffv1")
    assert "No space left on device" in caplog.text
    assert "the run continues" in caplog.text
    with av.open(tmp_path / "out.mkv") as file:
        assert sum(1 for _ in file.decode(video=0)) == COUNT


def full(file, arrays):
    raise OSError(28, "No space left on device")
