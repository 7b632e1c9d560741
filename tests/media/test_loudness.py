"""The soundtrack of a film: equal loudness, silence where clips have no sound."""

import av
import numpy as np
import pytest

from vdiff_jax.media import loudness


def _tone(path, seconds, level):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        times = np.arange(int(seconds * 48_000)) / 48_000
        wave = np.rint(32767 * level * np.sin(2 * np.pi * 1000 * times)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return str(path)


def _read(path):
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in container.decode(audio=0)]
    return np.concatenate(blocks) / 32767


def test_clips_get_the_same_loudness_and_keep_their_times(tmp_path):
    quiet, loud = _tone(tmp_path / "quiet.wav", 4, 0.05), _tone(tmp_path / "loud.wav", 4, 0.6)
    out = tmp_path / "film.mka"
    assert loudness.write_soundtrack(out, [(quiet, 0.0, 4.0, 0.0), (None, 0.0, 1.0, 0.0), (loud, 0.5, 4.0, 0.5)])
    sound = _read(out)
    assert len(sound) / 48_000 == pytest.approx(9.0, abs=0.01)
    level = [np.sqrt(np.mean(sound[int(start * 48_000) : int((start + 2) * 48_000)] ** 2)) for start in (1.5, 6.5)]
    assert level[0] == pytest.approx(level[1], rel=0.12)
    assert np.abs(sound[int(4.1 * 48_000) : int(5.4 * 48_000)]).max() == 0


def test_without_any_sound_nothing_is_written(tmp_path):
    assert not loudness.write_soundtrack(tmp_path / "film.mka", [(None, 0.0, 1.0, 0.0)])
    assert not (tmp_path / "film.mka").exists()


def test_seconds_count_from_the_beginning_of_the_file_and_sound_may_outlast_the_part(flash_clip, tmp_path):
    clip = str(flash_clip(tmp_path / "hour.ts", clock=3600, sound_seconds=1.5))
    assert loudness.write_soundtrack(tmp_path / "film.mka", [(clip, 0.0, 0.8, 0.0)])
    sound = _read(tmp_path / "film.mka")
    assert len(sound) == 0.8 * 48_000
    assert np.flatnonzero(np.abs(sound) > 0.05)[0] / 48_000 == pytest.approx(0.2, abs=0.03)


def test_a_short_gap_in_the_sound_stays(tmp_path):
    """Some cameras write the sound in pieces with gaps; without them, it would be early."""
    with av.open(str(tmp_path / "gap.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for begin, level in ((0, 0), (7680, 10_000)):  # 0.1 s of silence, a gap of 0.06 s, and a click
            frame = av.AudioFrame.from_ndarray(np.full((1, 4800), level, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert loudness.write_soundtrack(tmp_path / "film.mka", [(str(tmp_path / "gap.mkv"), 0.0, 0.25, 0.0)])
    assert np.flatnonzero(np.abs(_read(tmp_path / "film.mka")) > 0.05)[0] / 48_000 == pytest.approx(0.16, abs=0.005)
