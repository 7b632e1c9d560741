"""The page's files are removed with the page, and never those of another one."""

import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.serve.workspace import Workspace, check_room, check_video


def upload(root, name):
    path = root / f"hash-of-{name}" / name
    path.parent.mkdir()
    path.write_text(name)
    return path


def test_a_page_that_closes_leaves_nothing(tmp_path):
    workspace = Workspace(tmp_path, free=0)
    workspace.opened("a")
    workspace.opened("b")
    (tmp_path / "picture.png").write_text("made by Gradio")
    (workspace.new_folder("a", "repair") / "result.mp4").write_text("result")
    kept = workspace.new_folder("b", "repair")
    own, shared = upload(tmp_path, "own"), upload(tmp_path, "shared")
    workspace.received("a", [str(own), str(shared), None])
    workspace.received("b", [str(shared)])
    workspace.forget("a")
    assert not own.exists()
    assert shared.exists()
    assert kept.exists()
    assert (tmp_path / "picture.png").exists()
    workspace.forget("b")
    assert list(tmp_path.iterdir()) == []
    workspace.forget("never seen")


def test_a_tabs_next_job_replaces_its_last_one(tmp_path):
    workspace = Workspace(tmp_path, free=0)
    other, last = workspace.new_folder("a", "stitch"), workspace.new_folder("a", "repair")
    new = workspace.new_folder("a", "repair")
    assert new != last
    assert sorted(tmp_path.iterdir()) == sorted([other, new])


def test_nothing_outside_the_folder_is_removed(tmp_path):
    outside = tmp_path / "outside" / "video.mp4"
    outside.parent.mkdir()
    outside.write_text("mine")
    (tmp_path / "root").mkdir()
    workspace = Workspace(tmp_path / "root", free=0)
    workspace.received("a", [str(outside)])
    workspace.forget("a")
    assert outside.exists()


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"the disk is nearly full: .* MB are free and 1152921504607 MB are needed"):
        check_room(tmp_path, 1 << 60)
    with pytest.raises(OutputError, match="nearly full"):
        Workspace(tmp_path, free=1 << 60).new_folder("a", "repair")


def test_an_upload_that_is_no_video_is_named_without_its_folder(tmp_path, clip):
    assert check_video(str(clip)).frames == 8
    with pytest.raises(InputError, match="there is no video yet"):
        check_video(None)
    text = tmp_path / "letter.mp4"
    text.write_text("this is not a video\n")
    with pytest.raises(InputError, match=r"letter\.mp4") as caught:
        check_video(str(text))
    assert str(tmp_path) not in str(caught.value)


def test_a_passing_folder_passes(tmp_path):
    with Workspace(tmp_path).passing_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()
