"""Faults of disk, decoder, encoder, threads and clock: one named line, an output that is whole or absent, nothing lost.

The frames are encoded again and not restored, so that nothing is compiled. There is a checkpoint every 8 frames.
"""

import errno
import resource
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax import infer
from vdiff_jax.errors import InputError, OutputError, ResumeError
from vdiff_jax.media import decode, mux, open_reader, open_writer, target
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration import extent, pipeline
from vdiff_jax.runtime import checkpoint_files, checkpoints
from vdiff_jax.runtime.array_files import ArrayFile
from vdiff_jax.runtime.checkpoints import Checkpoints, open_checkpoints

COUNT, EVERY = 80, 8


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch):
    monkeypatch.setattr(checkpoints, "_SHORTEST", EVERY)
    monkeypatch.setattr(checkpoints, "_LONGEST", EVERY)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """80 frames of 96x64 pixels of noise, about 9 kB each."""
    path = tmp_path_factory.mktemp("faults") / "clip.mkv"
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=96, height=64, pixels=pixels, rate=Fraction(25), time_base=Fraction(1, 25))
    rng = np.random.default_rng(0)
    with open_writer(path, info, codec="ffv1") as writer:
        for number in range(COUNT):
            shapes = pixels.plane_shapes(96, 64)
            writer.write(Frame(tuple(rng.integers(16, 236, shape, np.uint8) for shape in shapes), number))
    return path


def repair(clip, target, **options):
    return pipeline.repair(clip, target, sigma=0, codec="ffv1", **options)


def planes(path):
    with open_reader(path) as reader:
        return [frame.planes for frame in reader]


def in_time(monkeypatch, at, act):
    """Calls `act` before frame `at` is decoded, once the encoder has completed a checkpoint."""
    begun = []
    start = Checkpoints.commit

    def commit(self, frames):
        start(self, frames)
        begun.append(frames)

    monkeypatch.setattr(Checkpoints, "commit", commit)
    read = decode.VideoSource.frames

    def frames(self):
        for number, frame in enumerate(read(self)):
            if number == at:
                until = time.monotonic() + 20
                while not begun and time.monotonic() < until:
                    time.sleep(0.01)
                act()
            yield frame

    monkeypatch.setattr(decode.VideoSource, "frames", frames)


def raising(error):
    def act(*_):
        raise error

    return act


def resumed(clip, target):
    """The frames of a run that goes on after the fault; they must be the input's, from a checkpoint on."""
    folder = target.with_name(target.name + ".resume")
    assert folder.exists()
    done = []
    repair(clip, target, resume=True, progress=done.append)
    assert done[0] > EVERY
    assert not folder.exists()
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    for made, given in zip(planes(target), planes(clip), strict=True):
        for a, b in zip(made, given, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), av.error.ExternalError(0, "Decoder is gone", "clip.mkv")]
)
def test_a_decoder_that_dies_in_the_middle(clip, tmp_path, monkeypatch, caplog, error):
    with monkeypatch.context() as patch:
        in_time(patch, 40, raising(error))
        with pytest.raises(InputError, match=r"clip\.mkv can't be read any further than frame 40 \((Input|Decoder)"):
            repair(clip, tmp_path / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()
    assert "the same command with --resume continues there" in caplog.text
    monkeypatch.setattr(extent, "free_memory", lambda: 1)  # chunks of one frame, if the run did not know its own
    resumed(clip, tmp_path / "out.mkv")


def test_a_thread_that_raises_is_one_line(clip, tmp_path, monkeypatch, capsys):
    arguments = ["repair", str(clip), "-o", str(tmp_path / "out.mkv"), "--sigma", "0", "--codec", "ffv1"]
    with monkeypatch.context() as patch:
        in_time(patch, 40, raising(ZeroDivisionError("division by zero")))
        assert infer.main(arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        "error: repair has failed unexpectedly (ZeroDivisionError: division by zero): "
        "repeat it with --debug and report what that prints"
    )
    assert not (tmp_path / "out.mkv").exists()
    resumed(clip, tmp_path / "out.mkv")


def test_a_kill_while_the_folder_is_made_or_deleted(clip, tmp_path, monkeypatch):
    folder = tmp_path / "out.mkv.resume"
    folder.mkdir()
    (folder / "run.part").write_text("{")
    repair(clip, tmp_path / "out.mkv", resume=True)
    assert not folder.exists()
    for path in (folder / "track.resume" / checkpoint_files.ABOUT, folder / checkpoint_files.ABOUT, folder / "a.npz"):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files.shutil, "rmtree", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            checkpoint_files.delete_folder(folder)
    assert (folder / checkpoint_files.ABOUT).exists()
    (folder / "notes.txt").touch()
    (folder / checkpoint_files.ABOUT).unlink()
    checkpoint_files.remove_remains(folder)
    assert (folder / "notes.txt").exists()


@pytest.mark.parametrize("name", ["out.mkv.resume", "out.mkv.resume/notes.txt"])
def test_files_of_the_user_are_never_taken_for_unfinished_work(tmp_path, caplog, name):
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    kept = open_checkpoints(tmp_path / "out.mkv", {}, every=EVERY, resume=False)
    assert "out.mkv.resume is not unfinished work of vdiff" in caplog.text
    kept.start()
    kept.discard()
    with pytest.raises(ResumeError, match="is not unfinished work of vdiff"):
        open_checkpoints(tmp_path / "out.mkv", {}, every=EVERY, resume=True)
    assert mine.read_text() == "mine"


def test_too_little_memory_is_one_line(clip, tmp_path, monkeypatch, capsys):
    in_time(monkeypatch, 40, raising(MemoryError()))
    assert infer.main(["repair", str(clip), "-o", str(tmp_path / "out.mkv"), "--sigma", "0", "--codec", "ffv1"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: repair has run out of memory: ")


def test_an_encoder_that_refuses_a_frame(clip, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        encode, count = mux.FileSink.write, iter(range(COUNT))

        def write(self, frame):
            if next(count) == 20:
                raise av.error.ExternalError(0, "Generic error in an external library", "ffv1")
            encode(self, frame)

        patch.setattr(mux.FileSink, "write", write)
        with pytest.raises(OutputError, match=r"out\.mkv can't be written: Generic error in an external library"):
            repair(clip, tmp_path / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()
    resumed(clip, tmp_path / "out.mkv")


def test_a_file_that_can_grow_no_further(clip, tmp_path):
    """The system's limit of a file's size acts as a full disk does, on the output alone."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"out\.mkv can't be written: File too large"):
            repair(clip, tmp_path / "out.mkv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out.mkv").exists()
    resumed(clip, tmp_path / "out.mkv")


def test_a_disk_that_is_full_first_for_segments_then_for_the_output(clip, tmp_path, monkeypatch, caplog):
    """The segments that were written before count, and the user is told so."""
    with monkeypatch.context() as patch:
        add, encode = ArrayFile.add, mux.FileSink.write
        count, written = iter(range(COUNT)), iter(range(COUNT))
        full = OSError(errno.ENOSPC, "No space left on device")

        def add_arrays(self, arrays):
            add(self, arrays)
            if next(count) == 2:
                raise full

        def write(self, frame):
            if next(written) == 60:
                raise full
            encode(self, frame)

        patch.setattr(ArrayFile, "add", add_arrays)
        patch.setattr(mux.FileSink, "write", write)
        with pytest.raises(OutputError, match=r"out\.mkv can't be written: No space left on device"):
            repair(clip, tmp_path / "out.mkv")
    assert "keeps nothing after frame 16 for --resume" in caplog.text
    assert "16 frames are kept in" in caplog.text
    assert not list(tmp_path.rglob("*.part*"))
    resumed(clip, tmp_path / "out.mkv")


def test_segments_that_could_not_be_written_are_deleted_with_the_others(clip, tmp_path, monkeypatch):
    add, count = ArrayFile.add, iter(range(COUNT))

    def add_arrays(self, arrays):
        if next(count) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(self, arrays)

    monkeypatch.setattr(ArrayFile, "add", add_arrays)
    repair(clip, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_a_state_that_cannot_be_written_while_packets_are_costs_only_the_chance_to_resume(tmp_path, monkeypatch):
    """States are written in another thread than packets."""
    kept = Checkpoints(tmp_path / "kept", every=1)
    kept.propose(1, 1)
    add = ArrayFile.add

    def add_arrays(self, arrays):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "write_arrays", raising(OSError(errno.ENOSPC, "No space left on device")))
            kept.keep(1, "step", [np.zeros(1)])
        add(self, arrays)

    monkeypatch.setattr(ArrayFile, "add", add_arrays)
    kept.add([np.zeros(9)])
    kept.add([np.zeros(9)])
    kept.commit(1)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [checkpoint_files.ABOUT]


def test_the_folder_of_segments_is_removed(clip, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        in_time(patch, 40, lambda: (tmp_path / "out.mkv.resume").rename(tmp_path / "moved away"))
        repair(clip, tmp_path / "out.mkv")
    assert "out.mkv.resume can't be written (No such file or directory): the run continues" in caplog.text
    assert len(planes(tmp_path / "out.mkv")) == COUNT


def test_the_output_folder_is_removed(clip, tmp_path, monkeypatch):
    folder = tmp_path / "results"
    folder.mkdir()
    in_time(monkeypatch, 40, lambda: folder.rename(tmp_path / "moved away"))
    with pytest.raises(OutputError, match=r"out\.mkv can't be written: No such file or directory"):
        repair(clip, folder / "out.mkv")
    assert not folder.exists()


@pytest.mark.parametrize("jump", [-1e6, 1e9])
def test_a_clock_that_jumps(clip, tmp_path, monkeypatch, jump):
    now = time.time
    with monkeypatch.context() as patch:
        in_time(patch, 40, lambda: patch.setattr(time, "time", lambda: now() + jump))
        report = repair(clip, tmp_path / "out.mkv")
    assert report["frames"] == COUNT
    assert 0 < report["seconds"]["total"] < 1000
    assert len(planes(tmp_path / "out.mkv")) == COUNT


def test_an_output_that_cannot_be_renamed_over_is_kept_beside_it(clip, tmp_path, monkeypatch):
    """As where OUT is a file that a container mounts. The kept segments are not needed any more."""
    monkeypatch.setattr(target.os, "replace", raising(OSError(errno.EBUSY, "Device or resource busy")))
    with pytest.raises(OutputError, match=r"out\.mkv can't be replaced \(Device .* is .*out\.whole1\.mkv, rename"):
        repair(clip, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.whole1.mkv"]
    assert len(planes(tmp_path / "out.whole1.mkv")) == COUNT


def test_a_run_that_makes_a_frame_of_each_field_goes_on(clip, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole.mkv", tmp_path / "stopped.mkv"
    repair(clip, whole, double_rate=True)
    with monkeypatch.context() as patch:
        in_time(patch, 100, raising(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(InputError, match="any further than frame 100"):
            repair(clip, stopped, double_rate=True)
    done = []
    repair(clip, stopped, double_rate=True, resume=True, progress=done.append)
    assert done[0] > EVERY
    with open_reader(whole) as first, open_reader(stopped) as second:
        for one, other in zip(first, second, strict=True):
            assert one.pts == other.pts
            np.testing.assert_array_equal(one.planes[0], other.planes[0])
        assert first.info.frames == 2 * COUNT


def test_a_batch_that_was_stopped_skips_what_is_done_and_resumes_the_rest(clip, tmp_path, monkeypatch):
    given, results = tmp_path / "given", tmp_path / "results"
    results.mkdir()
    given.mkdir()
    for name in ("done.mkv", "half.mkv"):
        (given / name).symlink_to(clip)
    (results / "done.mkv").write_bytes(b"an earlier result")
    options = ["--sigma", "0", "--codec", "ffv1", "--quiet"]
    with monkeypatch.context() as patch:
        in_time(patch, 40, raising(KeyboardInterrupt()))
        assert infer.main(["repair", str(given / "half.mkv"), "-o", str(results / "half.mkv"), *options]) == 130
    begun = []
    find = checkpoints.find_checkpoint
    monkeypatch.setattr(checkpoints, "find_checkpoint", lambda *given: begun.append(find(*given)) or begun[-1])
    assert infer.main(["repair", str(given), "-o", str(results), *options, "--keep-going"]) == 0
    assert [checkpoint.frames >= EVERY for checkpoint in begun] == [True]
    assert sorted(path.name for path in results.iterdir()) == ["done.mkv", "half.mkv"]
    assert (results / "done.mkv").read_bytes() == b"an earlier result"
    assert len(planes(results / "half.mkv")) == COUNT


def test_the_closing_line_of_a_video_counts_no_warnings_of_others(clip, tmp_path, capsys):
    given, left = tmp_path / "given", tmp_path / "results" / "a.mkv.resume"
    given.mkdir()
    left.mkdir(parents=True)
    (left / checkpoint_files.ABOUT).write_text("{}")
    for name in ("a.mkv", "b.mkv"):
        (given / name).symlink_to(clip)
    assert infer.main(["repair", str(given), "-o", str(left.parent), "--sigma", "0", "--codec", "ffv1"]) == 0
    ends = [line.endswith("; 1 warning") for line in capsys.readouterr().err.splitlines() if ".mkv: written, " in line]
    assert ends == [True, False]
