"""Opening inputs: stdin, threads, and errors that name a bad input."""

import subprocess
import sys
import threading

import av
import numpy as np
import pytest

from vdiff_jax.errors import InputError
from vdiff_jax.media import open_reader


def test_stdin_is_read(make_clip):
    clip = make_clip("clip.y4m", codec="wrapped_avframe")
    code = (
        "from vdiff_jax.media import open_reader\n"
        "with open_reader('-') as r: print([int(f.planes[0].sum()) for f in r], r.info.rate)"
    )
    with clip.path.open("rb") as pipe:
        shown = subprocess.run([sys.executable, "-c", code], stdin=pipe, capture_output=True, check=True)
    assert shown.stdout.decode().strip() == f"{[int(planes[0].sum()) for planes in clip.frames]} 25"
    assert shown.stderr == b""


def _write(path, content=b""):
    path.write_bytes(content)
    return path


def _sound(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return tmp_path / "sound.wav"


BAD = {
    "missing": (lambda d: d / "no.mp4", "no such file"),
    "empty": (lambda d: _write(d / "empty.mp4"), "is empty"),
    "noise": (lambda d: _write(d / "noise.mp4", np.random.default_rng(0).bytes(5000)), "is not a video"),
    "text": (lambda d: _write(d / "notes.txt", b"some words\n" * 50), "text file"),
    "sound": (_sound, "no video stream, only: audio"),
    "no match": (lambda d: d / "*.mp4", "nothing matches"),
    "empty folder": (lambda d: d, "holds no pictures"),
    "broken picture": (lambda d: _write(d / "broken.png", b"\x89PNG\r\n\x1a\nxxxxxxxx"), "damaged or not a picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_input_is_an_error_of_one_line(tmp_path, capfd, case):
    make, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        open_reader(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_closing_early_stops_the_thread(make_clip):
    clip = make_clip(count=60)
    with open_reader(clip.path) as reader:
        next(iter(reader))
        assert any(thread.name == "decode" for thread in threading.enumerate())
    assert not any(thread.name == "decode" for thread in threading.enumerate())
