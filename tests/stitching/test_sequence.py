import tempfile
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer, probe
from vdiff_jax.stitching.stitch import stitch

RATE = 20.0


def test_takes_of_the_same_moment_are_joined_where_they_overlap(wide):
    darker = np.rint(wide[10:] * np.array([0.8, 0.9, 0.85])).astype(np.uint8)
    made = stitch([wide[:16], darker], layout="sequence", rates=[RATE, RATE])
    assert made.report["joins"][0]["kind"] == "overlap"
    assert made.report["joins"][0]["overlap_frames"] == 6
    np.testing.assert_allclose(made.report["inputs"][1]["gain_rgb"], 1 / np.array([0.8, 0.9, 0.85]), rtol=0.01)
    assert made.clip.shape == wide.shape
    assert np.abs(made.clip.astype(int) - wide).max() <= 3


def test_frames_that_the_rate_leaves_out_are_named_in_a_warning(wide, caplog):
    other = np.ascontiguousarray(wide[:8, ::-1, ::-1])
    made = stitch([wide[:8], other], layout="sequence", rates=[RATE, 2 * RATE])
    assert len(made.clip) == 12
    assert caplog.messages == [
        "input 2: 4 of its frames are left out, because the sequence has the rate of input 1, 20 frames/s"
    ]
    assert made.report["warnings"] == caplog.messages
    caplog.clear()
    stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE / 2])
    assert not caplog.messages


def test_different_clips_are_cut_or_bridged(wide):
    other = np.ascontiguousarray(wide[:8, ::-1, ::-1])
    cut = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE])
    assert len(cut.clip) == 16
    assert cut.report["joins"][0]["kind"] == "cut"
    bridged = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE], bridge=3)
    assert len(bridged.clip) == 19
    np.testing.assert_array_equal(bridged.clip[:8], wide[:8])
    calls = []

    def interpolate(first, second, count):
        calls.append((first, second))
        return [first] * count

    given = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE], bridge=2, interpolate=interpolate)
    np.testing.assert_array_equal(given.clip[8:10], wide[[7, 7]])
    np.testing.assert_array_equal(calls[0][0], wide[7])


def test_the_first_clip_sets_size_and_rate(wide):
    small = np.ascontiguousarray(wide[:10, ::2, 80:340:2])
    made = stitch([wide[:10], small], layout="sequence", rates=[20.0, 10.0])
    assert made.rate == 20.0
    assert made.clip.shape == (30, *wide.shape[1:])
    # The second clip is as high as the first, with black on both sides.
    assert made.clip[20, :, 130:390].max(axis=-1).min() > 0
    assert made.clip[20, :, :120].max() == 0


def test_errors_name_bad_options(wide):
    with pytest.raises(StitchError, match="1 input"):
        stitch([wide[:4]], layout="sequence")
    with pytest.raises(OptionError, match="bridge -1"):
        stitch([wide[:4], wide[4:8]], layout="sequence", bridge=-1)
    with pytest.raises(StitchError, match="1 rates for 2 inputs"):
        stitch([wide[:4], wide[4:8]], rates=[25.0])


@pytest.mark.parametrize("first", ["plain.mp4", "hour.ts", "silent.ts"])
def test_sound_stays_in_sync_whatever_the_clips_clocks_show(flash_clip, flashes_and_beeps, tmp_path, first):
    clips = {
        "plain.mp4": flash_clip(tmp_path / "plain.mp4", sound_seconds=1.2),
        "hour.ts": flash_clip(tmp_path / "hour.ts", clock=3600, flashes=(0.32,)),
        "silent.ts": flash_clip(tmp_path / "silent.ts", clock=7, flashes=(0.4,), sound=None),
    }
    order = [clips[first], *(clip for name, clip in clips.items() if name != first)]
    stitch(order, tmp_path / "film.mkv", layout="sequence")
    flashes, beeps = flashes_and_beeps(tmp_path / "film.mkv")
    silent = 0.8 * list(order).index(clips["silent.ts"]) + 0.4
    assert len(flashes) == 4
    assert beeps == pytest.approx([flash for flash in flashes if abs(flash - silent) > 0.01], abs=0.02)


def test_clips_are_shown_in_their_aspect_ratio_and_what_is_lost_is_named(flash_clip, tmp_path, caplog):
    """The second clip's pixels are twice as wide, so it gets black bars above and below."""
    plain, wide = flash_clip(tmp_path / "plain.mkv"), tmp_path / "wide.mkv"
    other = flash_clip(tmp_path / "second.mkv", flashes=(0.28,), sound=None)
    with av.open(str(other)) as source, av.open(str(wide), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        output.metadata["artist"] = "Anna"
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    made = stitch([plain, wide], layout="sequence")
    assert made.report["joins"][0]["kind"] == "cut"
    shown = made.clip[20 + round(0.28 * 25)]
    assert (shown[14:34] > 200).all()
    assert (shown[[*range(10), *range(38, 48)]] < 30).all()
    stitch([plain, wide], tmp_path / "film.mkv", layout="sequence")
    assert "does not keep: of wide.mkv: the tags artist" in caplog.text


@pytest.mark.parametrize("order", [(0, 1), (1, 2, 0)])
def test_a_film_of_gray_and_coloured_clips_has_colours(tmp_path, order):
    clips = [tmp_path / "gray.mkv", tmp_path / "blue.mkv", tmp_path / "red.mkv"]
    gray, colours = PixelFormat(kind="gray", full_range=True), PixelFormat(kind="yuv", subsampling=(2, 2))
    kinds = (gray, colours, colours), ((0,), (0, 150, 110), (0, 110, 150))
    scene = np.add.outer(np.arange(48) % 11, np.linspace(60, 180, 64)).astype(np.uint8)
    for path, pixels, values in zip(clips, *kinds):
        info = VideoInfo(width=64, height=48, pixels=pixels)
        with open_writer(path, info, codec="ffv1") as writer:
            for n in range(3):
                chroma = (np.full((24, 32), value, np.uint8) for value in values[1:])
                writer.write(Frame((scene, *chroma), n, 1))
    stitch([clips[n] for n in order], tmp_path / "film.mkv", layout="sequence", codec="ffv1")
    with open_reader(tmp_path / "film.mkv") as reader:
        chroma = [[int(plane.mean()) for plane in frame.planes[1:]] for frame in reader]
    chroma = np.array(chroma).reshape(len(order), 3, 2)
    np.testing.assert_allclose(chroma[order.index(0)], 128, atol=1)
    np.testing.assert_allclose(chroma[order.index(1)], [[150, 110]] * 3, atol=8)


def test_the_sound_of_a_film_is_kept_beside_it_until_it_is_written(flash_clip, tmp_path, monkeypatch):
    """The system's folder for temporary files is often small."""
    clips = [flash_clip(tmp_path / f"{n}.mkv", flashes=(n / 5,)) for n in (1, 2)]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    (tmp_path / "out").mkdir()
    stitch(clips, tmp_path / "out" / "film.mkv", layout="sequence")
    assert probe(tmp_path / "out" / "film.mkv").has_audio
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["film.mkv"]
