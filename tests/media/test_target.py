"""Checks of output paths."""

import errno
import os
from pathlib import Path

import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.media import PixelFormat, VideoInfo, open_writer, probe, result_names, write_text
from vdiff_jax.media.target import PendingFile, folder_beside


def test_a_folder_without_write_permission_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv"))
    with pytest.raises(OutputError, match="no permission"):
        open_writer(tmp_path / "out.mkv", info)


def test_the_input_is_never_the_output(make_clip, tmp_path):
    clip = make_clip()
    info = probe(clip.path)
    (tmp_path / "link.mkv").symlink_to(clip.path)
    for target in (clip.path, tmp_path / "link.mkv", os.path.relpath(clip.path)):
        with pytest.raises(OutputError, match="is the input"):
            open_writer(target, info)
    with pytest.raises(OutputError, match="is the input"):
        open_writer(f"{tmp_path}/", probe_folder(tmp_path))


def test_a_folder_beside_a_target_is_deleted_also_after_a_killed_run(tmp_path):
    with folder_beside(tmp_path / "out.mkv") as folder:
        (folder / "sound.mka").write_text("text")
        with pytest.raises(OutputError, match="another run"), folder_beside(tmp_path / "out.mkv"):
            pass
        assert (folder / "sound.mka").exists()
    assert not list(tmp_path.iterdir())
    folder.mkdir()
    (folder / "left.mka").touch()
    with folder_beside(tmp_path / "out.mkv"):
        assert not list(folder.iterdir())
    with pytest.raises(OutputError, match=r"out\.mkv can't be written: No space"), folder_beside(tmp_path / "out.mkv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def probe_folder(folder):
    return VideoInfo(path=str(folder), width=4, height=4, pixels=PixelFormat(kind="rgb", full_range=True))


def test_names_of_255_bytes_are_written_and_longer_ones_are_errors(make_clip, copy_through, tmp_path, leftovers):
    clip = make_clip(count=2)
    name = "é" * 125 + "x.mkv"
    assert len(name.encode()) == 255
    copy_through(clip.path, tmp_path / name)
    assert leftovers(tmp_path) == sorted([clip.path.name, name])
    assert probe(tmp_path / name).frames == 2
    with pytest.raises(OutputError, match="longer than 255 bytes"):
        copy_through(clip.path, tmp_path / f"x{name}")


def test_a_symlink_is_written_through(make_clip, copy_through, tmp_path):
    clip = make_clip(count=2)
    disk = tmp_path / "disk"
    disk.mkdir()
    for link, real in (("old.mkv", "real.mkv"), ("dangling.mkv", "new.mkv")):
        (tmp_path / link).symlink_to(disk / real)
    (disk / "real.mkv").write_bytes(b"before")
    for link, real in (("old.mkv", "real.mkv"), ("dangling.mkv", "new.mkv")):
        copy_through(clip.path, tmp_path / link)
        assert (tmp_path / link).is_symlink()
        assert probe(disk / real).frames == 2
    write_text(tmp_path / "old.mkv", "text")
    assert (disk / "real.mkv").read_text() == "text"


def test_results_of_a_batch_have_endings_that_can_be_written():
    def names(*videos):
        return result_names([Path(video) for video in videos])

    assert names("a.mp4", "b.AVI", "c.mkv", "d.ts") == ["a.mp4", "b.mkv", "c.mkv", "d.mkv"]
    assert names("a.avi", "a.mkv", "b.avi", "b.ts") == ["a.avi.mkv", "a.mkv", "b.avi.mkv", "b.ts.mkv"]
    with pytest.raises(OutputError, match=r"one/a\.mp4 and two/a\.mp4 would get the same result"):
        names("one/a.mp4", "two/a.mp4")


def test_two_runs_do_not_write_one_output(tmp_path):
    target = tmp_path / "out.mkv"
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv"))
    first = open_writer(target, info)
    with pytest.raises(OutputError, match="another run"):
        open_writer(target, info)
    open_writer(tmp_path / "other.mkv", info).abort()
    first.abort()
    open_writer(target, info).abort()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_of_an_output_is_deleted(tmp_path):
    pending = PendingFile(tmp_path / "out.mkv")
    pending.path.write_bytes(b"half a file")
    pending.release()  # as the system does when a process is killed
    PendingFile(tmp_path / "out.mkv").commit()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_an_output_that_cannot_be_replaced_keeps_the_result_under_another_name(tmp_path, monkeypatch):
    pending = PendingFile(tmp_path / "out.mkv")
    pending.path.write_bytes(b"all of it")

    def refuse(source, target):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match=r"can't be replaced .*out\.whole1\.mkv"):
        pending.commit()
    assert (tmp_path / "out.whole1.mkv").read_bytes() == b"all of it"
