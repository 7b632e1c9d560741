"""Files joined byte by byte: read on, or a warning that says where reading ends."""

import av
import numpy as np
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.joined import has_second_partition, has_second_segment, second_recording


@pytest.fixture
def parts(flash_clip, tmp_path):
    """Two recordings of 20 frames, and the file that they are joined to."""

    def write(name, second=None, **options):
        paths = [tmp_path / f"{number}_{name}" for number in range(2)]
        flash_clip(paths[0], **options)
        flash_clip(paths[1], **options, **(second or {}))
        joined = tmp_path / name
        joined.write_bytes(b"".join(path.read_bytes() for path in paths))
        return paths, joined

    return write


def frames_of(path):
    with open_reader(path) as reader:
        return [float(frame.pts * reader.info.time_base) for frame in reader]


@pytest.mark.parametrize("name", ["joined.mp4", "joined.mov", "joined.asf"])
def test_where_the_second_recording_is_not_read_a_warning_says_so(parts, caplog, name):
    paths, joined = parts(name, sound=None)
    begins = paths[0].stat().st_size
    with av.open(str(joined)) as container, av.open(str(paths[0])) as single:
        assert second_recording(str(joined), container) == begins
        assert second_recording(str(paths[0]), single) is None
    assert len(frames_of(paths[0])) == 20
    assert not caplog.records
    assert len(frames_of(joined)) == 20
    [record] = caplog.records
    assert f"is not read after byte {begins} of {joined.stat().st_size}" in record.getMessage()


def test_a_joined_flv_is_named_with_the_byte_at_which_reading_ends(tmp_path, caplog):
    one, joined = tmp_path / "one.flv", tmp_path / "joined.flv"
    with av.open(str(one), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        output.mux([packet for n in range(5) for packet in stream.encode(av.VideoFrame(64, 48, "yuv420p"))])
        output.mux(stream.encode(None))
    joined.write_bytes(2 * one.read_bytes())
    with av.open(str(joined)) as container, av.open(str(one)) as single:
        assert second_recording(str(joined), container) == one.stat().st_size
        assert second_recording(str(one), single) is None
    assert len(frames_of(one)) == len(frames_of(joined)) == 5
    [record] = caplog.records
    assert "joined.flv is not read after byte" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "second"), [("joined.ts", {"mpegts_start_pid": "336"}), ("joined.mkv", {}), ("joined.ts", {})]
)
def test_time_goes_on_in_the_second_recording(parts, copy_through, flashes_and_beeps, caplog, name, second):
    paths, joined = parts(name, second, sound="aac")
    copy_through(joined, joined.with_name("out.mkv"), codec="libx264")
    flashes, beeps = flashes_and_beeps(joined.with_name("out.mkv"))
    assert len(flashes) == len(beeps) == 4
    assert beeps == pytest.approx(flashes, abs=0.02)
    steps = np.diff(frames_of(joined.with_name("out.mkv")))
    assert len(steps) == 39
    assert 0.038 < steps.min() <= steps.max() < 0.1
    assert not caplog.records
    assert has_second_segment(str(joined)) == (name == "joined.mkv")
    assert not has_second_segment(str(paths[0]))


def test_a_second_programme_is_not_read_and_named(parts, caplog):
    other = {"mpegts_start_pid": "336", "mpegts_pmt_start_pid": "4112", "mpegts_service_id": "7"}
    paths, joined = parts("joined.ts", other, sound="aac", seconds=4)
    assert len(frames_of(joined)) == 100
    [record] = caplog.records
    assert f"of {joined.stat().st_size}: it seems to be joined" in record.getMessage()
    assert len(frames_of(paths[0])) == 100
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_time_goes_on_in_a_joined_mxf(parts, copy_through, flashes_and_beeps, caplog, name):
    """FFmpeg gives the second recording's packets the time of the last one before."""
    paths, joined = parts("joined.mxf", sound="pcm_s16le")
    assert has_second_partition(str(joined))
    assert not has_second_partition(str(paths[0]))
    copy_through(joined, joined.with_name(name), codec="libx264")
    flashes, beeps = flashes_and_beeps(joined.with_name(name))
    assert flashes == pytest.approx([0.2, 0.6, 1.0, 1.4], abs=0.002)
    assert beeps == pytest.approx(flashes, abs=0.02)


def test_the_padding_of_a_short_file_is_no_second_recording(make_clip, caplog):
    clip = make_clip("clip.mpg", codec="mpeg2video", smooth=True)
    assert len(frames_of(clip.path)) == 8
    assert not caplog.records
