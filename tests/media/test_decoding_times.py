"""Decoding times that an encoder does not give (`decoding_times`)."""

import av
import pytest

from vdiff_jax.media.decoding_times import decode_in_order


@pytest.mark.parametrize(
    ("shown", "decoded"), [([0], [0]), ([0, 512], [0, 512]), ([0, 1024, 512], [-512, 0, 512]), ([], [])]
)
def test_decoding_times_rise_and_none_is_later_than_the_display(shown, decoded):
    packets = [av.Packet(b"x") for _ in shown]
    for packet, time in zip(packets, shown, strict=True):
        packet.pts, packet.dts = time, 4_747_801_566_870_435_466
    decode_in_order(packets)
    assert [packet.dts for packet in packets] == decoded


@pytest.mark.parametrize("name", ["out.mov", "out.mp4", "out.mkv"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_hevc_of_few_frames_is_written(make_clip, copy_through, decode, tmp_path, name, count):
    clip = make_clip("clip.mkv", smooth=True, count=count)
    copy_through(clip.path, tmp_path / name, codec="libx265")
    with av.open(str(tmp_path / name)) as container:
        assert [round(frame.time, 3) for frame in container.decode(video=0)] == [0, 0.04, 0.08][:count]
