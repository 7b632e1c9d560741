"""A film in segments: they begin at cuts, and joined they have the frames, times and sound of one run."""

import numpy as np
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.restoration import in_segments, pipeline
from vdiff_jax.restoration.options import Options
from vdiff_jax.runtime.array_files import write_arrays

FRAMES = 39


def frames_of(path):
    with open_reader(path) as reader:
        return [(frame.pts * reader.info.time_base, *frame.planes) for frame in reader]


def in_parts(source, target, tmp_path, **options):
    """Restores the segments in another order, and joins them."""
    made = in_segments.film_for(source, target, Options(**options), frames=8)
    parts = {}
    for number in reversed(range(len(made.segments))):
        seen = []
        count, arrays = in_segments.restored_segment(source, target, made, number, seen.append)
        assert seen == list(range(1, count + 1))
        parts[number] = (tmp_path / f"{number}.npz", count)
        write_arrays(parts[number][0], arrays)
    (tmp_path / "joining").mkdir()
    return made, in_segments.join(source, target, made, [parts[n] for n in sorted(parts)], tmp_path / "joining")


@pytest.mark.parametrize(
    "options", [{"sigma": 6}, {"mask": "mask.png", "grow": 2, "strength": 0.5, "both_directions": True}]
)
def test_joined_segments_are_the_frames_of_one_run(tmp_path, film, tiny, options):
    options = {"weights": tiny, "codec": "ffv1", **options}
    if "mask" in options:
        options["mask"] = str(film / options["mask"])
    pipeline.repair(film / "film.mkv", tmp_path / "whole.mkv", **options)
    made, report = in_parts(film / "film.mkv", tmp_path / "joined.mkv", tmp_path, **options)
    assert [segment.start for segment in made.segments] == [None, 360, 680, 1160]
    assert [segment.stop for segment in made.segments] == [360, 680, 1160, None]
    assert (report["frames"], report["segments"]) == (FRAMES, 4)
    whole, joined = frames_of(tmp_path / "whole.mkv"), frames_of(tmp_path / "joined.mkv")
    assert len(whole) == len(joined) == FRAMES
    different = [n for n, (one, other) in enumerate(zip(whole, joined)) if not all(map(np.array_equal, one, other))]
    assert different == []


def test_segments_are_encoded_as_finely_as_the_whole_film(tmp_path, film, tiny):
    pipeline.repair(film / "film.mkv", tmp_path / "whole.mkv", weights=tiny, sigma=5)
    made = in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(sigma=5, weights=tiny), frames=8)
    _, arrays = in_segments.restored_segment(film / "film.mkv", tmp_path / "out.mkv", made, 0, lambda frames: None)
    settings = b"crf=1.0 "  # x264 writes its settings into the stream
    assert settings in (tmp_path / "whole.mkv").read_bytes()
    assert settings in b"".join(array.tobytes() for array in arrays)


@pytest.mark.parametrize(
    "options", [{"fps": 50}, {"start": 0.2}, {"mask": "auto"}, {"deinterlace": True}, {"sigma": 0, "task": "denoise"}]
)
def test_a_film_whose_frames_depend_on_others_is_not_cut(tmp_path, film, options):
    assert in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(**options), frames=8) is None


def test_a_short_film_or_one_for_pictures_is_not_cut(tmp_path, film):
    assert in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(sigma=6), frames=20) is None
    assert in_segments.film_for(film / "film.mkv", f"{tmp_path}/out/", Options(sigma=6), frames=8) is None


def test_a_short_film_is_not_decoded_to_see_that_it_is_short(tmp_path, film, monkeypatch):
    monkeypatch.setattr(in_segments, "opened", None)
    assert in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(sigma=6), frames=20) is None
