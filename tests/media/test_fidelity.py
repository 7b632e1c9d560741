"""What outputs keep of a video besides its pixels, and the one warning that names what they lose."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax import infer
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer, probe
from vdiff_jax.media.fidelity import losses
from vdiff_jax.media.video import ColourTags

YUV420 = PixelFormat(kind="yuv", subsampling=(2, 2))
DISPLAY = tuple(map(Fraction, ["0.68", "0.32", "0.265", "0.69", "0.15", "0.06", "0.3127", "0.329", "0.005", "1000"]))


def write(path, info, codec=None, count=3):
    """Writes ramps and returns their planes."""
    shapes = info.pixels.plane_shapes(info.width, info.height)
    planes = tuple((np.arange(h * w).reshape(h, w) % 200 + 16).astype(info.pixels.dtype) for h, w in shapes)
    with open_writer(path, info, codec=codec) as writer:
        for number in range(count):
            writer.write(Frame(planes, number, 1))
    return planes


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize(
    ("name", "codec"), [("o.mp4", None), ("o.mkv", "ffv1"), ("o.y4m", None), ("o.mkv", "mpeg2video")]
)
def test_the_field_order_is_kept(tmp_path, caplog, name, codec, order):
    info = VideoInfo(width=64, height=48, pixels=YUV420, interlaced=True, field_order=order)
    write(tmp_path / name, info, codec)
    kept = probe(tmp_path / name)
    assert (kept.interlaced, kept.field_order) == (True, order)
    assert not caplog.text


@pytest.mark.parametrize(("order", "first_shown"), [(4, 2), (5, 3)])
def test_the_swapped_field_orders_of_mp4_name_the_field_that_is_shown_first(tmp_path, order, first_shown):
    """FFmpeg's program writes 4 for interlaced frames whose top field comes first, and Apple's DV files have 5."""
    write(tmp_path / "o.mkv", VideoInfo(width=64, height=48, pixels=YUV420, interlaced=True, field_order=order))
    assert probe(tmp_path / "o.mkv").field_order == first_shown


@pytest.mark.parametrize(
    ("name", "codec", "height"), [("o.webm", None, 48), ("o.mkv", "libx265", 48), ("o.mp4", None, 46)]
)
def test_a_lost_field_order_is_named_with_the_option_that_helps(tmp_path, caplog, name, codec, height):
    write(tmp_path / name, VideoInfo(width=64, height=height, pixels=YUV420, interlaced=True, field_order=2), codec)
    assert not probe(tmp_path / name).interlaced
    assert len(caplog.records) == 1
    assert "field order" in caplog.text
    assert "--deinterlace" in caplog.text


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_hdr10_metadata_is_kept(tmp_path, caplog, codec):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), bits=10)
    tags = ColourTags(primaries=9, transfer=16, matrix=9, range=1)
    hdr = {"mastering_display": DISPLAY, "content_light": (1000, 400)}
    write(tmp_path / "o.mkv", VideoInfo(width=64, height=64, pixels=pixels, tags=tags, **hdr), codec)
    kept = probe(tmp_path / "o.mkv")
    assert [float(v) for v in kept.mastering_display] == pytest.approx([float(v) for v in DISPLAY], abs=1e-4)
    assert kept.content_light == (1000, 400)
    assert not caplog.text


def test_lost_hdr10_metadata_is_one_warning(tmp_path, caplog):
    info = VideoInfo(width=64, height=48, pixels=YUV420, mastering_display=DISPLAY, content_light=(1000, 400))
    write(tmp_path / "o.webm", info)
    assert len(caplog.records) == 1
    assert "mastering display and the content light level" in caplog.text
    assert "libx265" in caplog.text


def test_transparency_of_vp9_is_read_and_written(tmp_path, caplog):
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2), alpha=True))
    planes = write(tmp_path / "o.webm", info)
    with open_reader(tmp_path / "o.webm") as reader:
        assert reader.info.pixels.alpha
        assert all(np.abs(f.planes[-1].astype(int) - planes[-1]).mean() < 8 for f in reader)
    assert not caplog.text
    write(tmp_path / "o.mp4", info)
    assert "transparency" in caplog.text
    assert "ffv1" in caplog.text
    assert len(caplog.records) == 1


def test_lost_precision_and_colour_resolution_are_named():
    deep = PixelFormat(kind="yuv", subsampling=(2, 1), bits=12)
    info = VideoInfo(width=64, height=48, pixels=deep)
    assert losses(info, "mov", "prores_ks", deep) == []
    precision, colour = losses(info, "webm", "libvpx-vp9", YUV420)
    assert "the precision of 12 bits, of which 8 are stored" in precision
    assert "the colour resolution 4:2:2, stored as 4:2:0" in colour


def test_partial_transparency_is_named_for_gif():
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="rgb", full_range=True, alpha=True))
    [lost] = losses(info, "gif", "gif", info.pixels)
    assert "partial transparency" in lost


def test_captions_and_hdr_tags_are_named():
    info = VideoInfo(width=64, height=48, pixels=YUV420, unsupported_side_data=("A53_CC",))
    assert "closed captions" in losses(info, "matroska", "libx264", YUV420)[0]
    hdr = VideoInfo(width=64, height=48, pixels=YUV420, tags=ColourTags(transfer=16))
    assert "PQ" in losses(hdr, "pictures", "pictures", YUV420)[0]
    assert losses(hdr, "matroska", "libx264", YUV420) == []


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_the_report_lists_the_warnings(tmp_path, capsys, quiet):
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2), alpha=True))
    write(tmp_path / "in.webm", info)
    report = tmp_path / "report.json"
    command = ["repair", str(tmp_path / "in.webm"), "-o", str(tmp_path / "o.mp4"), "--task", "denoise", "--sigma", "0"]
    assert infer.main([*command, "--report", str(report), *quiet]) == 0
    warnings = json.loads(report.read_text())["warnings"]
    assert len(warnings) == 1
    assert "transparency" in warnings[0]
    assert ("transparency" in capsys.readouterr().err) == (not quiet)


def test_a_repair_that_loses_nothing_reports_no_warning(tmp_path):
    write(tmp_path / "in.mkv", VideoInfo(width=64, height=48, pixels=YUV420))
    report = tmp_path / "report.json"
    command = ["repair", str(tmp_path / "in.mkv"), "-o", str(tmp_path / "o.mp4"), "--task", "denoise", "--sigma", "0"]
    assert infer.main([*command, "--report", str(report)]) == 0
    assert json.loads(report.read_text())["warnings"] == []


@pytest.mark.parametrize(("layout", "kept"), [("quad", "quad"), ("3.0", "3.0"), ("6.0", "5.1")])
def test_an_audio_layout_is_kept_or_named(tmp_path, caplog, layout, kept):
    channels = av.AudioLayout(layout).nb_channels
    with av.open(str(tmp_path / "in.mov"), "w") as output:
        video, sound = output.add_stream("libx264", rate=25), output.add_stream("pcm_s16le", rate=48000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound.codec_context.layout = layout
        samples = np.zeros((1, 9600 * channels), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts = 48000, 0
        pictures = [av.VideoFrame(64, 48, "yuv420p") for _ in range(5)]
        packets = [packet for picture in [*pictures, None] for packet in video.encode(picture)]
        output.mux([*packets, *sound.encode(frame), *sound.encode(None)])
    with (
        open_reader(tmp_path / "in.mov") as reader,
        open_writer(tmp_path / "o.mp4", reader.info, copy_from=tmp_path / "in.mov") as writer,
    ):
        for picture in reader:
            writer.write(picture)
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert container.streams.audio[0].codec_context.layout.name == kept
    assert len(caplog.records) == 1
    assert "pcm_s16le sound is encoded again as aac" in caplog.text
    assert ("its channels change" in caplog.text) == (layout != kept)
