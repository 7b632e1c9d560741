"""Checks of output paths."""

import os

import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.media import PixelFormat, VideoInfo, open_writer, probe


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


def probe_folder(folder):
    return VideoInfo(path=str(folder), width=4, height=4, pixels=PixelFormat(kind="rgb", full_range=True))
