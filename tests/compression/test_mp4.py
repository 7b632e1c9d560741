"""Compressed MP4s: what players need, and the attachment after a file was copied, cut, joined or encoded again."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression import compress, decompress
from vdiff_jax.compression.attachment import unpack
from vdiff_jax.compression.codec import CODECS, check_source, playable_pixels
from vdiff_jax.compression.decoder import find_attachment
from vdiff_jax.pixels import Frame, PixelFormat

SIZE = (66, 98)


@pytest.fixture(scope="module")
def small(source, tmp_path_factory):
    """The clip as an MP4 and the report."""
    path = tmp_path_factory.mktemp("mp4") / "small.mp4"
    return path, compress(source, path, crf=36, adapt="none")


def copied(sources, target, *, metadata=None, most=None):
    """A stream copy of the first packets of files' video, one after the other, with the first one's metadata."""
    with av.open(str(target), "w") as output:
        shift = 0
        for index, path in enumerate(sources):
            with av.open(str(path)) as container:
                video = container.streams.video[0]
                if index == 0:
                    stream = output.add_stream_from_template(video)
                    output.metadata.update(container.metadata if metadata is None else metadata)
                packets = [packet for packet in container.demux(video) if packet.size][:most]
                stamps = sorted(packet.pts for packet in packets)
                delay = max(stamp - packet.pts for stamp, packet in zip(stamps, packets))  # Matroska stores no dts
                for packet, stamp in zip(packets, stamps):
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, stamp - delay + shift, stream
                    output.mux(packet)
                shift += round(2 / video.time_base)
    return target


def test_players_find_what_they_need(small):
    path, _ = small
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert container.streams.audio[0].codec_context.name == "aac"


def test_the_round_trip_keeps_times_and_gains_what_was_expected(small, source, tmp_path, read_frames):
    path, report = small
    assert report["bytes"]["attachment"] == len(media.read_attachment(path))
    decompress(path, tmp_path / "large.mp4", options={"crf": "1"})
    truth, plain, large = (read_frames(name) for name in (source, path, tmp_path / "large.mp4"))
    times = [
        [frame.pts * media.probe(name).time_base for frame in frames]
        for name, frames in ((source, truth), (tmp_path / "large.mp4", large))
    ]
    assert times[0] == times[1]
    error = [
        np.mean([(a.planes[0].astype(float) - b.planes[0]) ** 2 for a, b in zip(frames, truth, strict=True)])
        for frames in (plain, large)
    ]
    assert 10 * np.log10(error[0] / error[1]) == pytest.approx(report["plan"]["expected_gain_db"]["y"], abs=0.1)
    assert media.read_attachment(tmp_path / "large.mp4") is None


@pytest.mark.parametrize("name", ["commented.mp4", "commented.mkv"])
def test_a_comment_of_the_source_comes_back(source, tmp_path, name):
    commented = copied([source], tmp_path / name, metadata={"comment": "at the lake"})
    compress(commented, tmp_path / "small.mp4", crf=36, adapt="none")
    assert media.read_attachment(tmp_path / "small.mp4") is not None
    decompress(tmp_path / "small.mp4", tmp_path / "large.mp4")
    with av.open(str(tmp_path / "large.mp4")) as container:
        assert container.metadata["comment"] == "at the lake"


def test_a_copy_in_another_format_and_back_keeps_the_attachment(small, tmp_path, caplog):
    path, _ = small
    moved = copied([copied([path], tmp_path / "moved.mkv")], tmp_path / "back.mp4")
    for name in (tmp_path / "moved.mkv", moved):
        assert find_attachment(name, SIZE) == unpack(media.read_attachment(path))
    assert not caplog.text


def test_a_copy_of_a_matroska_file_keeps_the_attachment(source, tmp_path, caplog):
    compress(source, tmp_path / "small.mkv", crf=36, adapt="none")
    packed = media.read_attachment(tmp_path / "small.mkv")
    for name in ("cut.mkv", "copy.mp4"):
        assert media.read_attachment(copied([tmp_path / "small.mkv"], tmp_path / name, most=9)) == packed is not None
    assert not caplog.text


def test_a_cut_file_is_still_improved(small, tmp_path, caplog):
    begun = copied([small[0]], tmp_path / "cut.mp4", most=9)
    assert decompress(begun, tmp_path / "large.mkv", codec="ffv1")["plan"]["tasks"] == ["wiener"]
    assert "without improvement" not in caplog.text


@pytest.mark.parametrize(
    ("comment", "says"), [("", "no attachment"), ("vdiff:AgAAAA", "damaged"), ("vdiff:A", "damaged")]
)
def test_metadata_that_another_tool_rewrote_leaves_plain_video(small, tmp_path, caplog, comment, says):
    rewritten = copied([small[0]], tmp_path / "rewritten.mp4", metadata={"comment": comment})
    assert find_attachment(rewritten, SIZE).empty
    assert says in caplog.text


def test_a_joined_file_is_plain_video(small, source, tmp_path, caplog):
    joined = copied([small[0], source], tmp_path / "joined.mp4")
    assert find_attachment(joined, SIZE).empty
    assert "joined with another: 1 of 2 key frames" in caplog.text


def test_a_file_that_was_encoded_again_is_plain_video(small, source, tmp_path, caplog):
    """Its metadata are copied by many encoders."""
    with av.open(str(small[0])) as container:
        metadata = dict(container.metadata)
    again = copied([source], tmp_path / "again.mp4", metadata=metadata)
    assert find_attachment(again, SIZE).empty
    assert "encoded again" in caplog.text


@pytest.mark.parametrize(
    ("codec", "bits", "expected"), [("h264", 10, 8), ("hevc", 10, 10), ("hevc", 12, 10), ("av1", 10, 10)]
)
def test_mp4_gets_a_format_that_browsers_decode(codec, bits, expected, caplog):
    pixels = PixelFormat(kind="yuv", subsampling=(1, 1), bits=bits, matrix="bt709")
    info = media.VideoInfo(width=64, height=48, pixels=pixels)
    wanted = playable_pixels(info, CODECS[codec])
    assert (wanted.subsampling, wanted.bits) == ((2, 2), expected)
    assert check_source(info, CODECS[codec], None, "mp4").pixels == wanted
    kept = ".mkv with --codec hevc keeps it" if codec == "av1" else ".mkv keeps it"
    [record] = caplog.records  # one warning, not a second one of the encoder's losses
    assert kept in record.getMessage()


def test_a_deep_gray_video_gets_a_format_that_browsers_decode(tmp_path, caplog):
    gray = media.VideoInfo(width=64, height=48, pixels=PixelFormat(kind="gray", full_range=True, bits=10))
    with media.open_writer(tmp_path / "gray.mkv", gray, codec="ffv1") as writer:
        writer.write(Frame((np.full((48, 64), 800, np.uint16),), 0, 1))
    compress(tmp_path / "gray.mkv", tmp_path / "small.mp4", adapt="none")
    with media.open_reader(tmp_path / "small.mp4") as reader:
        assert (reader.info.pixels.name, reader.info.pixels.full_range) == ("yuv420p", False)
        assert abs(next(iter(reader)).planes[0].mean() - (16 + 219 * 800 / 1023)) < 1
    assert "10 bits becomes 8" in caplog.text


@pytest.mark.parametrize(("codec", "says"), [("h264", "a side is odd"), ("av1", "")])
def test_an_odd_side_is_named_if_few_players_show_it(codec, says, caplog):
    info = media.VideoInfo(width=65, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)))
    check_source(info, CODECS[codec], None, "mp4")
    assert says in caplog.text
    assert bool(caplog.text) is bool(says)


@pytest.mark.parametrize(("name", "aspect"), [("small.mp4", Fraction(4, 3)), ("small.mkv", 1)])
def test_the_aspect_ratio_of_av1_is_kept_or_named(source, tmp_path, caplog, name, aspect):
    compress(source, tmp_path / name, codec="av1", crf=60, adapt="none", preset="12")
    assert media.probe(tmp_path / name).sample_aspect == aspect
    assert ("sample aspect ratio 4/3" in caplog.text) is (aspect == 1)


def test_hevc_has_the_tag_that_apple_s_players_need_and_no_list_of_options(source, tmp_path):
    compress(source, tmp_path / "small.mp4", codec="hevc", crf=36, adapt="none", preset="ultrafast")
    assert b"x265 (build" not in (tmp_path / "small.mp4").read_bytes()  # 2.3 kB
    with av.open(str(tmp_path / "small.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
