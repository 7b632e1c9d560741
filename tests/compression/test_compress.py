"""Compress and decompress as a user runs them (compression/encoder.py, decoder.py, settings.py)."""

import json
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax import infer, media, sample
from vdiff_jax.compression import codec as codec_module
from vdiff_jax.compression import compress, decompress
from vdiff_jax.compression.attachment import Attachment, Network, WienerStep, unpack
from vdiff_jax.compression.codec import CODECS
from vdiff_jax.compression.decoder import find_attachment
from vdiff_jax.errors import OptionError, OutputError, WeightsError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import STEP
from vdiff_jax.postprocess.wiener_operators import LUMA_OPERATORS, OPERATORS
from vdiff_jax.restoration import backend, restorer
from vdiff_jax.weights import identity


def run(*arguments: object) -> int:
    return infer.main([str(argument) for argument in arguments])


def frames_of(path):
    """Each frame's luma and exact time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(frame.to_ndarray(format="gray"), frame.pts * stream.time_base) for frame in container.decode(stream)]


def sound_of(path):
    with av.open(str(path)) as container:
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size]


def error(frames, truth) -> float:
    return float(np.mean([(a.astype(float) - b) ** 2 for (a, _), (b, _) in zip(frames, truth, strict=True)]))


@pytest.fixture(scope="module")
def compressed(source, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compressed")
    arguments = ("--crf", 36, "--adapt", "none", "--weights", tiny, "--report", folder / "report.json")
    assert run("compress", source, "-o", folder / "small.mkv", *arguments) == 0
    assert run("decompress", folder / "small.mkv", "-o", folder / "large.mp4", "--crf", 1) == 0
    return folder


def test_the_round_trip_keeps_count_size_times_and_sound(compressed, source):
    before, after = frames_of(source), frames_of(compressed / "large.mp4")
    assert [time for _, time in after] == [time for _, time in before]
    assert {luma.shape for luma, _ in after} == {luma.shape for luma, _ in before}
    assert media.probe(compressed / "large.mp4").sample_aspect == Fraction(4, 3)
    sounds = sound_of(source), sound_of(compressed / "large.mp4")
    assert [data for _, data in sounds[0]] == [data for _, data in sounds[1]]
    np.testing.assert_allclose(*([time for time, _ in sound] for sound in sounds), atol=1e-3)


def test_any_player_plays_the_track(compressed, source):
    with av.open(str(compressed / "small.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].average_rate == 24
        assert len(list(container.decode(video=0))) == len(frames_of(source))


def test_the_result_is_nearer_to_the_source_than_the_track_by_the_expected_gain(compressed, source):
    report = json.loads((compressed / "report.json").read_text())
    assert report["plan"]["tasks"][-1] == "wiener", report["plan"]["why"]
    truth = frames_of(source)
    plain, restored = (error(frames_of(compressed / name), truth) for name in ("small.mkv", "large.mp4"))
    gained = 10 * np.log10(plain / restored)
    assert gained > 0.05
    assert gained == pytest.approx(report["plan"]["expected_gain_db"]["y"], abs=0.1)


def test_the_report_counts_all_bytes(compressed):
    report = json.loads((compressed / "report.json").read_text())
    assert report["frames"] == 14
    assert report["bytes"]["attachment"] == len(media.read_attachment(compressed / "small.mkv"))
    assert report["bytes"]["file"] == (compressed / "small.mkv").stat().st_size
    assert report["bytes"]["track"] == media.video_bytes(compressed / "small.mkv")


def test_repair_decompresses_too(compressed, tmp_path):
    assert run("repair", compressed / "small.mkv", "-o", tmp_path / "repaired.mp4", "--crf", 1) == 0
    repaired, large = frames_of(tmp_path / "repaired.mp4"), frames_of(compressed / "large.mp4")
    assert error(repaired, large) == 0


def test_the_result_has_no_attachment(compressed, tmp_path):
    assert run("decompress", compressed / "small.mkv", "-o", tmp_path / "large.mkv") == 0
    assert media.read_attachment(tmp_path / "large.mkv") is None


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_other_codecs_make_the_round_trip(codec, source, tiny, tmp_path):
    options = {"codec": codec, "crf": 20, "preset": {"av1": "10", "hevc": "ultrafast"}[codec], "adapt": "none"}
    report = compress(source, tmp_path / "small.mkv", weights=tiny, **options)
    with av.open(str(tmp_path / "small.mkv")) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec
    assert report["encoder"] == CODECS[codec].encoder
    decompress(tmp_path / "small.mkv", tmp_path / "large.mp4", weights=tiny)
    assert [time for _, time in frames_of(tmp_path / "large.mp4")] == [time for _, time in frames_of(source)]


def test_arrays_go_in_and_come_out(tiny, tmp_path):
    with av.open(str(sample.TRUTH)) as container:
        clip = np.stack([f.to_ndarray(format="rgb24")[:66, :98] for f in container.decode(video=0)][:6])
    compress(clip, tmp_path / "small.mkv", crf=12, adapt="none", weights=tiny, rate=24)
    back = decompress(tmp_path / "small.mkv", weights=tiny)
    assert (back.shape, back.dtype) == (clip.shape, np.uint8)
    assert np.mean((back.astype(float) - clip) ** 2) < 40


def attached(compressed, folder, attachment):
    """The compressed file with another attachment."""
    path = folder / "attached.mkv"
    info = media.probe(compressed / "small.mkv")
    media.remux(compressed / "plain.mp4", path, attachment, info, copy_from=None)
    return path


@pytest.fixture(scope="module")
def plain(compressed):
    """The track in a file that may be joined with any attachment."""
    path = compressed / "plain.mp4"
    with av.open(str(compressed / "small.mkv")) as container, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(container.streams.video[0])
        waiting = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
        stamps = sorted(packet.pts for packet in waiting)
        for packet, stamp in zip(waiting, stamps):
            packet.stream, packet.dts = stream, stamp - 200
            output.mux(packet)
    return compressed


def test_a_damaged_or_newer_attachment_leaves_plain_video(plain, tmp_path, capsys):
    good = media.read_attachment(plain / "small.mkv")
    for name, data, says in (
        ("damaged", bytes([*good[:-1], good[-1] ^ 4]), "damaged"),
        ("newer", b"\x09" + zlib.crc32(b"\x09new").to_bytes(4, "big") + b"new", "version 9"),
        ("none", None, "no attachment, as compress wrote none or another program made the file"),
    ):
        path = attached(plain, tmp_path, data)
        assert run("decompress", path, "-o", tmp_path / f"{name}.mkv", "--codec", "ffv1") == 0
        assert says in capsys.readouterr().err
        assert error(frames_of(tmp_path / f"{name}.mkv"), frames_of(plain / "small.mkv")) == 0


def test_damage_in_any_part_of_a_file_s_attachment_is_noticed(plain, tmp_path):
    good = media.read_attachment(plain / "small.mkv")
    for at in range(0, len(good), 5):
        damaged = bytearray(good)
        damaged[at] ^= 1 << at % 8
        assert find_attachment(attached(plain, tmp_path, bytes(damaged)), (66, 98)) == Attachment(size=(66, 98))
    assert find_attachment(attached(plain, tmp_path, good), (66, 98)) == unpack(good)


def with_network(**changes) -> bytes:
    """An attachment with which the network's result is shown as it is."""
    network = Network(**{"name": "fast-deblock", "digest": identity("fast-deblock"), **changes})
    luma, chroma = ((0,) * (count - 1) + (STEP,) for count in (LUMA_OPERATORS, OPERATORS))
    wiener = WienerStep(error=(16, 16, 16), coefficients=luma + chroma + chroma, directions=1)
    return Attachment(size=(66, 98), wiener=wiener, network=network).pack()


def test_the_network_restores_as_repair_does(plain, tiny, tmp_path):
    """With weights that bring no Wiener step of their own, because the attachment has one."""
    path = attached(plain, tmp_path, with_network(digest=identity(tiny)))
    arguments = ("--weights", tiny, "--codec", "ffv1")
    assert run("decompress", path, "-o", tmp_path / "decompressed.mkv", *arguments) == 0
    bare = attached(plain, tmp_path, None)
    assert run("repair", bare, "-o", tmp_path / "repaired.mkv", "--task", "deblock", *arguments) == 0
    assert error(frames_of(tmp_path / "decompressed.mkv"), frames_of(tmp_path / "repaired.mkv")) == 0
    assert error(frames_of(tmp_path / "decompressed.mkv"), frames_of(bare)) > 0


def test_a_long_video_is_decompressed_by_the_faster_backend(plain, tiny, tmp_path, monkeypatch):
    path, used = attached(plain, tmp_path, with_network(digest=identity(tiny))), []
    make = restorer._network_for

    def network_for(network, conversion, chosen, size):
        used.append(chosen)
        return make(network, conversion, chosen, size)

    monkeypatch.setattr(restorer, "_network_for", network_for)
    monkeypatch.setattr(backend, "faster", lambda network: "onnx")
    by_jax = decompress(path, weights=tiny)
    monkeypatch.setattr(backend, "LONG", pixels := media.probe(path).all_pixels)
    by_onnx = decompress(path, weights=tiny)
    assert np.abs(by_onnx.astype(int) - by_jax).max() <= 1
    monkeypatch.setattr(backend, "LONG", pixels + 1)
    decompress(path, weights=tiny)
    assert used == ["jax", "onnx", "jax"]


def test_other_weights_are_reported(plain, tmp_path):
    path = attached(plain, tmp_path, with_network(digest=b"another1"))
    with pytest.raises(WeightsError, match=r"compressed with weights fast-deblock .*pass --weights"):
        decompress(path, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def write(path, pixels, *, size=(64, 64), tags=None, codec=None):
    info = media.VideoInfo(width=size[0], height=size[1], pixels=pixels, tags=tags or media.ColourTags())
    with media.open_writer(path, info, codec=codec) as writer:
        for n in range(3):
            shapes = pixels.plane_shapes(*size)
            writer.write(Frame(tuple(np.full(s, 40 + 9 * n, pixels.dtype) for s in shapes), n))
    return path


BAD = [
    (["-o", "{folder}/out.webm"], "Matroska and MP4"),
    (["--codec", "vp9"], "h264, hevc, av1"),
    (["--preset", "lossless"], "lossless"),
    (["--crf", "52"], "1 to 51"),
    (["--preset", "8"], "ultrafast"),
    (["--codec", "av1", "--preset", "medium"], "libsvtav1 has no preset medium"),
    (["--bitrate", "100"], "100 bits per second are too few: libx264 at its coarsest, crf 51, needs"),
    (["--bitrate", "900G"], "uncompressed"),
    (["--bitrate", "-5"], "above 0"),
    (["--target-vmaf", "100"], "below 100"),
    (["--target-vmaf", "nan"], "below 100"),
    (["--weights", "none"], "none"),
    (["-o", "{folder}/no/out.mkv"], "no folder"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_bad_input_is_one_named_line(source, tmp_path, capsys, arguments, says):
    arguments = [argument.format(folder=tmp_path) for argument in arguments]
    target = [] if "-o" in arguments else ["-o", f"{tmp_path}/out.mkv"]
    before = sorted(tmp_path.iterdir())
    assert run("compress", source, "--adapt", "none", *target, *arguments) == 1
    printed = capsys.readouterr().err.strip()
    assert printed.startswith("error: ")
    assert len(printed.splitlines()) == 1
    assert says in printed
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_encoder_is_reported(monkeypatch, source, tmp_path):
    monkeypatch.setattr(codec_module, "available_encoders", lambda names: ["libx264"])
    with pytest.raises(OutputError, match=r"lacks libx265, .*: pass another codec: h264 \(libx264\)$"):
        compress(source, tmp_path / "out.mkv", codec="hevc")


@pytest.mark.parametrize("options", [{"crf": 20, "bitrate": 1000}, {"crf": 20, "target_vmaf": 90}])
def test_only_one_quality_option_is_allowed(source, tmp_path, options):
    with pytest.raises(OptionError, match="only one of them"):
        compress(source, tmp_path / "out.mkv", **options)


def test_a_target_vmaf_needs_libvmaf(monkeypatch, source, tmp_path, capsys):
    monkeypatch.setattr(media.vmaf, "_candidates", lambda: iter(()))
    assert run("compress", source, "-o", tmp_path / "out.mkv", "--target-vmaf", 90) == 1
    assert "pip install 'vdiff_jax[vmaf]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_alpha_is_refused(tmp_path, capsys):
    path = write(tmp_path / "alpha.mkv", PixelFormat(kind="yuv", subsampling=(2, 2), alpha=True), codec="ffv1")
    assert run("compress", path, "-o", tmp_path / "out.mkv") == 1
    assert "no output of compress can store; of repair, .webm" in capsys.readouterr().err


HDR = media.ColourTags(primaries=9, transfer=16, matrix=9, range=1)


def test_hdr_keeps_its_bits_and_tags(tiny, tmp_path, caplog):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), bits=10, matrix="bt2020")
    path = write(tmp_path / "hdr.mkv", pixels, tags=HDR, codec="ffv1")
    compress(path, tmp_path / "out.mkv", codec="hevc", preset="ultrafast", adapt="none", weights=tiny)
    assert "does not keep" not in caplog.text
    kept = media.probe(tmp_path / "out.mkv")
    assert (kept.pixels.bits, kept.tags) == (10, HDR)


def test_hdr_of_more_bits_than_the_encoder_has_is_refused(tmp_path, capsys):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), bits=12, matrix="bt2020")
    path = write(tmp_path / "hdr.mkv", pixels, tags=HDR, codec="ffv1")
    assert run("compress", path, "-o", tmp_path / "out.mkv") == 1
    assert "HDR (PQ) of 12 bits and libx264 keeps 10" in capsys.readouterr().err


def test_a_folder_of_pictures_is_compressed(tmp_path):
    """It has no other tracks to copy."""
    (tmp_path / "frames").mkdir()
    for number in range(4):
        picture = np.full((48, 64, 3), 40 * number + 20, np.uint8)
        media.write_picture(tmp_path / "frames" / f"{number}.png", picture)
    compress(tmp_path / "frames", tmp_path / "out.mkv", adapt="none", preset="ultrafast")
    assert len(frames_of(tmp_path / "out.mkv")) == 4


def test_a_folder_is_refused_before_the_work(tmp_path):
    (tmp_path / "small.mp4").mkdir()
    with pytest.raises(OutputError, match=r"small\.mp4 is a folder: pass the name of a file"):
        compress(np.zeros((2, 16, 16, 3), np.uint8), tmp_path / "small.mp4")


def test_two_runs_do_not_write_one_file(source, tmp_path):
    def second(stage):
        with pytest.raises(OutputError, match="is being written by another run"):
            compress(source, tmp_path / "small.mp4", crf=40, adapt="none")

    compress(source, tmp_path / "small.mp4", crf=36, adapt="none", begin=second)
    assert [path.name for path in tmp_path.iterdir()] == ["small.mp4"]
