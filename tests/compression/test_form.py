"""Tracks of every second frame: which are kept, how the others come back, and when such a track is taken."""

import itertools

import cv2
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression import decompress
from vdiff_jax.compression.attachment_choice import decide
from vdiff_jax.compression.form import Form, halved
from vdiff_jax.compression.probes import Meter
from vdiff_jax.compression.quality import luma_psnr
from vdiff_jax.compression.resolution import in_form
from vdiff_jax.compression.track_choice import choose
from vdiff_jax.errors import WeightsError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.weights import load

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")


def numbered(count: int) -> list[Frame]:
    return [Frame((np.full((2, 2), n),), 10 * n + n % 3, 10) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8])
def test_every_second_frame_and_the_last_are_kept(count):
    numbers = Form((2, 2), halved=True).frames(range(count), count)
    frames, kept = numbered(count), list(halved(numbered(count)))
    assert [int(frame.planes[0][0, 0]) for frame in kept] == numbers == sorted({*range(0, count, 2), count - 1})
    assert [frame.pts for frame in kept] == [frames[n].pts for n in numbers]
    for frame, following in itertools.pairwise(kept):
        assert frame.pts + frame.duration == following.pts
    assert kept[-1].duration == 10


def test_parts_of_a_video_keep_what_its_track_keeps():
    form = Form((2, 2), halved=True)
    assert form.frames(range(4, 10), 11) == [4, 6, 8]
    assert form.frames(range(4, 10), 10) == [4, 6, 8, 9]
    assert form.measured(slice(2, 10)) == slice(1, 5)
    assert Form((2, 2)).measured(slice(2, 10)) == slice(2, 10)


def frames_of(path) -> list[Frame]:
    with media.open_reader(path) as reader:
        return list(reader)


@pytest.fixture(scope="module")
def compressed(source, tmp_path_factory, encoding):
    """What was chosen for a clip that moves evenly, the PSNR of luma that was expected of it, and the file."""
    folder, network = tmp_path_factory.mktemp("halved"), load("base")
    with encoding(source, folder, crf=38.0, filling="base") as encoder:
        choice = choose(encoder, Meter(encoder, network, None), encoder.track())
        decision, info = decide(encoder, choice.track, network), encoder.original.info
        path = folder / "small.mkv"
        info = in_form(info, choice.track.form)
        media.remux(choice.track.path, path, decision.attachment, info, copy_from=source, lead=encoder.lead)
        expected = luma_psnr(
            encoder.excerpts.shown(decision.rehearsal.shown(decision.recipe), choice.track.form), PIXELS
        )
    return choice, expected, path


def test_it_is_taken_where_it_is_better(compressed):
    choice, _, path = compressed
    *_, whole, less = choice.compared
    assert less.form == choice.track.form
    assert less.form.halved
    assert not whole.form.halved
    assert less.size <= whole.size
    assert less.psnr >= whole.psnr + 0.1
    assert len(frames_of(path)) == 8


def test_all_frames_come_back_as_expected(compressed, source, tmp_path):
    _, expected, path = compressed
    decompress(path, tmp_path / "large.mkv", codec="ffv1")
    large, truth = frames_of(tmp_path / "large.mkv"), frames_of(source)
    for frame, other in zip(large, truth, strict=True):
        assert abs(frame.pts / 1000 - other.pts / 12288) < 1e-3
    assert media.probe(tmp_path / "large.mkv").rate == media.probe(source).rate
    scores = [cv2.PSNR(a.planes[0], b.planes[0]) for a, b in zip(large, truth, strict=True)]
    assert np.mean(scores) == pytest.approx(expected, abs=0.02)


def test_weights_that_interpolate_otherwise_are_named(compressed, tmp_path, monkeypatch):
    import vdiff_jax.compression.decoder as decoder

    monkeypatch.setattr(decoder, "identity", lambda weights: b"another")
    with pytest.raises(WeightsError, match="compressed with weights base"):
        decompress(compressed[2], tmp_path / "large.mkv", codec="ffv1")


def test_it_is_not_tried_where_nothing_tells_what_lies_between(tmp_path, encoding):
    path, rng = tmp_path / "shaken.mkv", np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (128, 192)).astype(np.float32), (0, 0), 1.2).astype(np.uint8)
    with media.open_writer(path, media.VideoInfo(width=128, height=96, pixels=PIXELS), codec="ffv1") as writer:
        for n in range(9):
            y, x = rng.integers(0, 32, 2)
            grey = np.full((48, 64), 128, np.uint8)
            writer.write(Frame((texture[y : y + 96, x : x + 128], grey, grey), n, 1))
    with encoding(path, tmp_path, crf=24.0, filling="base") as encoder:
        track = encoder.track()
        choice = choose(encoder, Meter(encoder, load("base"), None), track)
    assert choice.track is track
    assert not any(trial.form.halved for trial in choice.tried)
