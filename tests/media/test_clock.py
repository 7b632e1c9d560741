"""Clocks that jump: time goes on, no frame is lost, and sound stays with the picture."""

import numpy as np
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.clock import Clock, clock_of


@pytest.fixture
def joined(flash_clip, tmp_path):
    """Writes recordings that start at these times, joined byte by byte; each flashes and beeps at 0.2 and 0.6 s."""

    def write(*clocks, name="joined.ts", sound="aac", **options):
        parts = [
            flash_clip(tmp_path / f"{n}_{name}", clock=clock, sound=sound, **options) for n, clock in enumerate(clocks)
        ]
        path = tmp_path / name
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path

    return write


@pytest.mark.parametrize("clocks", [(0, 0), (3600, 0), (0, 3600), (0, 0, 100, 50)])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_time_goes_on_where_recordings_were_joined(joined, copy_through, flashes_and_beeps, tmp_path, clocks, name):
    info = copy_through(joined(*clocks), tmp_path / name, codec="libx264")
    flashes, beeps = flashes_and_beeps(tmp_path / name)
    assert len(flashes) == len(beeps) == 2 * len(clocks)
    assert beeps == pytest.approx(flashes, abs=0.02)
    assert all(0.35 < step < 0.5 for step in np.diff(flashes))
    assert info.frames == 20 * len(clocks)
    with open_reader(tmp_path / name) as reader:
        steps = np.diff([float(frame.pts * reader.info.time_base) for frame in reader])
    assert len(steps) == 20 * len(clocks) - 1
    assert steps.min() > 0.038
    assert steps.max() < 0.1


@pytest.mark.parametrize(("name", "sound"), [("joined.ts", None), ("joined.mpg", "mp2"), ("joined.mpg", None)])
def test_silent_recordings_and_program_streams_are_joined_too(joined, copy_through, tmp_path, name, sound):
    copy_through(joined(0, 0, name=name, sound=sound), tmp_path / "out.mkv")
    with open_reader(tmp_path / "out.mkv") as reader:
        steps = np.diff([float(frame.pts * reader.info.time_base) for frame in reader])
    assert len(steps) == 39
    assert steps.min() > 0.038
    assert steps.max() < 0.1


def test_a_part_behind_a_jump_is_found(joined, copy_through, flashes_and_beeps, tmp_path):
    copy_through(joined(3600, 0, 0), tmp_path / "out.mp4", start=1.2, stop=2.2, codec="libx264")
    flashes, beeps = flashes_and_beeps(tmp_path / "out.mp4")
    assert beeps == pytest.approx(flashes, abs=0.02)
    assert flashes == pytest.approx([0.2, 0.6], abs=0.1)


def test_the_wrap_around_of_a_transport_stream_is_no_jump(flash_clip, copy_through, flashes_and_beeps, tmp_path):
    """The 33-bit counter of a transport stream starts again after 95443.7 s."""
    source = flash_clip(tmp_path / "wrap.ts", clock=95442, seconds=2, flashes=(0.2, 1.6))
    copy_through(source, tmp_path / "out.mkv", codec="libx264")
    flashes, beeps = flashes_and_beeps(tmp_path / "out.mkv")
    assert flashes == pytest.approx([0.2, 1.6], abs=0.03)
    assert beeps == pytest.approx(flashes, abs=0.02)


def test_b_frames_at_the_beginning_of_a_joined_matroska_file_are_no_jump(make_clip, tmp_path):
    """Its first packets have no time of decoding, and one of them is shown much later than the next."""
    clip = make_clip(codec="libx264", options={"bf": "3", "b-adapt": "0"}, smooth=True, audio="aac").path
    (tmp_path / "joined.mkv").write_bytes(2 * clip.read_bytes())
    with open_reader(tmp_path / "joined.mkv") as reader:
        assert reader.info.start == 0
        times = [frame.pts for frame in reader]
    assert times[:8] == list(range(0, 320, 40))
    np.testing.assert_allclose(np.diff(times[8:]), 40)


def test_a_file_without_jumps_is_left_alone(flash_clip, tmp_path):
    assert clock_of(str(flash_clip(tmp_path / "hour.ts", clock=3600))) == Clock()
    assert clock_of(str(flash_clip(tmp_path / "plain.mp4"))) == Clock()
