import json
import wave

import av
import cv2
import numpy as np
import pytest

from vdiff_jax import infer
from vdiff_jax.errors import OutputError, WeightsError
from vdiff_jax.media import open_reader, open_writer, read_picture
from vdiff_jax.stitching.source import ArraySource, output_frame, output_info
from vdiff_jax.stitching.stitch import stitch


def _file(path, clip, rate=20.0, copy_from=None):
    info = output_info([ArraySource(clip, "clip", rate)], clip.shape[2:0:-1], rate)
    with open_writer(path, info, options={"crf": "12"}, copy_from=copy_from) as writer:
        for index, frame in enumerate(clip):
            writer.write(output_frame(frame, info, index))
    return str(path)


def _tone(path, seconds, level):
    samples = np.rint(32767 * level * np.sin(2 * np.pi * 1000 * np.arange(seconds * 48_000) / 48_000))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return str(path)


@pytest.fixture(scope="module")
def files(rig, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cameras")
    return [_file(folder / f"{index}.mp4", clip[:12]) for index, clip in enumerate(rig.clips)]


def test_a_panorama_with_pictures_of_each_stage(files, tmp_path, capsys):
    out, report = tmp_path / "wide.mp4", tmp_path / "wide.json"
    assert infer.main(["stitch", *files, "-o", str(out), "--debug", "--report", str(report)]) == 0
    assert "panorama: the views overlap (1 and 2" in capsys.readouterr().err
    written = json.loads(report.read_text())
    with open_reader(out) as reader:
        sizes = {frame.planes[0].shape for frame in reader}
    assert sizes == {(written["height"], written["width"])}
    assert written["plan"]["layout"] == "panorama"
    assert written["peak_memory_bytes"] > 10 * 2**20
    assert written["frames_per_second"] > 0
    assert set(written["metrics"]) >= {"alignment", "stability", "distortion"}
    assert len(written["inputs"]) == 2
    assert set(written["inputs"][1]) >= {"offset_seconds", "gain", "gain_rgb", "missing_frames"}
    assert set(written["pairs"][0]) >= {"inputs", "overlap", "matches"}
    assert np.array(written["inputs"][1]["homography"]).shape == (3, 3)
    stages = sorted(path.name for path in (tmp_path / "wide.mp4.stages").iterdir())
    assert [name[0] for name in stages] == ["1", "2", "2", "3", "4", "5", "6"]
    pictures = {name: read_picture(tmp_path / "wide.mp4.stages" / name) for name in stages}
    assert (pictures["3_seam.png"] == [255, 0, 0]).all(axis=-1).any()
    alone = [(pictures[f"2_camera_{n}.png"].max(axis=-1) > 0).mean() for n in (1, 2)]
    assert max(alone) < (pictures["5_diffused.png"].max(axis=-1) > 0).mean()


def test_a_panorama_has_the_first_sound_that_there_is_and_one_warning(rig, files, known, tmp_path):
    """The second camera starts 0.2 s later and goes on for 0.2 s, which are left out with their sound."""
    tone = _tone(tmp_path / "tone.wav", 0.6, 0.5)
    heard = _file(tmp_path / "heard.mkv", rig.clips[1][:12], copy_from=tone)
    silent = tmp_path / "silent.mkv"
    with av.open(files[0]) as source, av.open(str(silent), "w") as file:
        file.add_attachment("font.ttf", "font/ttf", b"a font")
        video = file.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                file.mux(packet)
    made = stitch([silent, heard], tmp_path / "wide.mp4", layout="panorama", calibration=known)
    (warning,) = made.report["warnings"]
    assert "of silent.mkv: 1 attachment" in warning
    assert "encoded again as aac" in warning
    with av.open(str(tmp_path / "wide.mp4")) as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(0.4, abs=0.05)


def test_a_sequence_with_a_picture_of_each_join(rig, files, tmp_path):
    out = tmp_path / "sequence.mp4"
    arguments = ["stitch", *files, "-o", str(out), "--quiet", "--debug", "--layout", "sequence", "--bridge", "2"]
    assert infer.main(arguments) == 0
    with open_reader(out) as reader:
        assert sum(1 for _ in reader) == 26
    height, width = rig.clips[0].shape[1:3]
    assert read_picture(tmp_path / "sequence.mp4.stages" / "join_1.png").shape == (height, 4 * width, 3)


def test_a_sequence_plays_its_clips_at_one_loudness(wide, tmp_path):
    """Two seconds of a quiet tone and two seconds of a loud one, each with its pictures."""
    paths = []
    for name, level, frames in (("quiet", 0.05, wide[:10]), ("loud", 0.6, wide[:10, ::-1, ::-1])):
        tone = _tone(tmp_path / f"{name}.wav", 2, level)
        paths.append(_file(tmp_path / f"{name}.mp4", np.ascontiguousarray(frames[:, :96, :128]), 5.0, copy_from=tone))
    out = tmp_path / "sequence.mp4"
    assert infer.main(["stitch", *paths, "-o", str(out), "--layout", "sequence", "--bridge", "5", "--quiet"]) == 0
    with open_reader(out) as reader:
        assert sum(1 for _ in reader) == 25
    with av.open(str(out)) as container:
        sound = np.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in container.decode(audio=0)])
    assert len(sound) / 48_000 == pytest.approx(5, abs=0.1)
    parts = [sound[int(start * 48_000) :][:48_000] for start in (0.5, 2.1, 3.5)]
    level = [np.sqrt(np.mean(part.astype(float) ** 2)) for part in parts]
    assert level[0] == pytest.approx(level[2], rel=0.2)
    assert np.abs(parts[1][: int(0.8 * 48_000)]).max() < 0.05 * level[0]


def test_an_error_is_one_line_that_names_the_pair(files, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 255, (6, 27, 38, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    other = _file(tmp_path / "other.mp4", cv2.blur(noise.reshape(-1, 304, 3), (3, 3)).reshape(6, 216, 304, 3))
    out = tmp_path / "wide.mp4"
    assert infer.main(["stitch", files[0], other, "-o", str(out), "--layout", "panorama"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "input 1 (0.mp4) and input 2 (other.mp4) do not overlap enough" in message
    assert not out.exists()


def test_missing_weights_are_named_before_any_work(wide):
    with pytest.raises(WeightsError, match="nothing"):
        stitch([wide[:2], wide[2:4]], weights="nothing", fill=True)


def test_an_output_that_cannot_be_written_is_named_before_any_work(wide, tmp_path):
    """One clip is too few, which is found later."""
    with pytest.raises(OutputError, match="there is no folder"):
        stitch([wide[:2]], tmp_path / "missing" / "out.mp4")
