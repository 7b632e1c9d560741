"""Inputs of another dynamic range or gamut are refused with a line; small differences and lost bits are said."""

import av
import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.media import ColourTags, Frame, PixelFormat, VideoInfo, open_writer
from vdiff_jax.stitching import stitch
from vdiff_jax.stitching.colour_tags import check_colours
from vdiff_jax.stitching.source import lost_in_stitching, open_sources


@pytest.fixture
def write(tmp_path):
    def run(name, *, transfer=1, primaries=1, bits=8):
        pixels = PixelFormat(kind="yuv", bits=bits, subsampling=(2, 2))
        tags = ColourTags(primaries=primaries, transfer=transfer, matrix=1, range=1)
        info = VideoInfo(width=64, height=48, pixels=pixels, tags=tags)
        path = tmp_path / name
        with open_writer(path, info, codec="ffv1") as writer:
            for n in range(3):
                planes = [
                    np.full(shape, (20 + 8 * n) << (bits - 8), pixels.dtype) for shape in pixels.plane_shapes(64, 48)
                ]
                writer.write(Frame(tuple(planes), n))
        return path

    return run


def test_another_dynamic_range_is_refused(write, tmp_path):
    hdr, sdr = write("hdr.mkv", transfer=16, primaries=9, bits=10), write("sdr.mkv")
    with pytest.raises(StitchError, match=r"input 1 \(hdr\.mkv\) is PQ and input 2 \(sdr\.mkv\) is SDR"):
        stitch([hdr, sdr], tmp_path / "film.mkv", layout="sequence")
    assert not (tmp_path / "film.mkv").exists()
    with pytest.raises(StitchError, match=r"is SDR and .* is HLG"):
        check_colours(open_sources([sdr, write("hlg.mkv", transfer=18)]))


def test_another_gamut_is_refused(write):
    with pytest.raises(StitchError, match=r"is BT\.709 and .* is BT\.2020: convert one to the other's gamut"):
        check_colours(open_sources([write("one.mkv"), write("two.mkv", primaries=9)]))


def test_slightly_different_primaries_are_said(write, caplog):
    check_colours(open_sources([write("one.mkv"), write("two.mkv", primaries=6)]))
    assert "input 2 (two.mkv) has BT.601 primaries" in caplog.text


def test_equal_and_untagged_colours_are_no_matter(write, caplog):
    check_colours(
        open_sources([write("one.mkv"), write("two.mkv", primaries=2, transfer=2), np.zeros((2, 48, 64, 3), np.uint8)])
    )
    assert caplog.text == ""


def test_the_loss_of_bits_is_named(write):
    lost = lost_in_stitching(open_sources([write("one.mkv"), write("two.mkv", bits=10)]))
    assert lost == ["the precision of 10 bits, because stitch works in 8 bits; repair keeps it"]


def test_tracks_that_a_film_of_several_inputs_does_not_hold_are_named(tmp_path, write):
    path = tmp_path / "two tracks.mkv"
    with av.open(path, "w") as file:
        file.add_attachment("font.ttf", "font/ttf", b"a font")
        videos = [file.add_stream("mpeg4", rate=25, width=64, height=48) for _ in range(2)]
        sound, silence = file.add_stream("flac", rate=48000), np.zeros((1, 9216), np.int16)
        shown, heard = av.VideoFrame(64, 48, "yuv420p"), av.AudioFrame.from_ndarray(silence, "s16", "stereo")
        heard.sample_rate, heard.pts, shown.pts = 48000, 0, 0
        for track, frame in [*((video, shown) for video in videos), (sound, heard)]:
            file.mux([*track.encode(frame), *track.encode()])
    sources = open_sources([write("one.mkv"), path])
    held = "1 further video track, 1 attachment of two tracks.mkv; repair keeps them"
    assert lost_in_stitching(sources) == [held]
    assert lost_in_stitching(sources, first_is_copied=True) == [f"the sound, {held}"]
    assert lost_in_stitching(sources[::-1], first_is_copied=True) == []
