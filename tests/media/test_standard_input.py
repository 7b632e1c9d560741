"""MP4 from a pipe is copied to a temporary file if its index is at the end. Otherwise it is read as it comes."""

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from vdiff_jax.errors import InputError
from vdiff_jax.media import standard_input


class Pipe(io.BytesIO):
    def seekable(self):
        return False


@pytest.fixture
def piped(monkeypatch):
    def run(content):
        monkeypatch.setattr(standard_input.sys, "stdin", SimpleNamespace(buffer=Pipe(content)))
        return standard_input.standard_input()

    return run


def box(kind, size):
    return size.to_bytes(4, "big") + kind + bytes(size - 8)


LATE = box(b"ftyp", 24) + box(b"free", 8) + box(b"mdat", 100_000) + box(b"moov", 90)
EARLY = box(b"ftyp", 24) + box(b"moov", 90) + box(b"mdat", 100_000)


@pytest.mark.parametrize(("content", "copied"), [(LATE, True), (EARLY, False), (b"YUV4MPEG2 ", False), (b"", False)])
def test_only_an_mp4_with_a_late_index_is_copied(piped, content, copied):
    file = piped(content)
    assert file.seekable() == copied
    parts = iter(lambda: file.read(40_000), b"")
    assert b"".join(parts) == content
    standard_input.release(file)
    assert not copied or file.closed


def test_no_room_for_the_copy_is_an_error(piped, monkeypatch):
    monkeypatch.setattr(standard_input.shutil, "disk_usage", lambda folder: SimpleNamespace(free=80_000))
    with pytest.raises(InputError, match=r"index is at its end, and .* has no room for a copy: write it to a file"):
        piped(LATE)


def test_a_late_index_is_read_and_what_else_the_file_holds_is_named(make_clip):
    clip = make_clip("clip.mp4", size=(320, 240), count=8, codec="libx264", audio="aac")
    assert clip.path.stat().st_size > 1 << 16
    code = "from vdiff_jax.media import open_reader\nwith open_reader('-', written=True) as r: print(sum(1 for _ in r))"
    with subprocess.Popen(["cat", clip.path], stdout=subprocess.PIPE) as cat:
        shown = subprocess.run(
            [sys.executable, "-c", code], stdin=cat.stdout, capture_output=True, check=True, text=True
        )
    assert shown.stdout == "8\n"
    assert shown.stderr == "only the picture is read from stdin, without its 1 audio track: pass a file to keep them\n"
