"""A film in segments: they begin at cuts, and joined they have the frames, times and sound of one run."""

import json
from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax import media, weights
from vdiff_jax.media import open_reader, open_writer
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.nn.network import SIZES
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import OPERATORS
from vdiff_jax.restoration import in_segments, pipeline
from vdiff_jax.restoration.options import Options
from vdiff_jax.runtime.checkpoint_files import write_arrays
from vdiff_jax.training.step import build

SHOTS = (9, 7, 1, 12, 10)
"""Frames of each shot. After eight frames, cuts follow at 9, 17 and 29; the one at 16 precedes a shot of one frame."""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Shots of drifting noise, each at its own brightness, with B-frames; and a mask."""
    folder = tmp_path_factory.mktemp("film")
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=64, height=48, pixels=pixels, rate=Fraction(25), time_base=Fraction(1, 1000))
    rng = np.random.default_rng(0)
    number = 0
    with open_writer(folder / "film.mkv", info, options={"crf": "4"}) as writer:
        for shot, count in enumerate(SHOTS):
            rough = rng.normal(40 + 150 * (shot % 2), 40, (8, 8)).repeat(8, 0).repeat(12, 1)
            for n in range(count):
                luma = np.roll(rough, n, 1)[:48, :64] + rng.normal(0, 6, (48, 64))
                planes = (np.clip(luma, 16, 235).astype(np.uint8), *[np.full((24, 32), 120 + shot, np.uint8)] * 2)
                writer.write(Frame(planes, 40 * number, 40))
                number += 1
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[20:30, 20:34] = 255
    media.write_picture(folder / "mask.png", mask)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network with random weights and a Wiener step that looks at neighbouring frames."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    wiener = np.zeros((2, 3, OPERATORS))
    wiener[0, :, -5:-1] = 0.2
    about = {"spread": json.dumps({"left": np.ones((2, 3)).tolist(), "conductivities": wiener.tolist()})}
    weights.save(path, SIZES["tiny"], build(SIZES["tiny"])[1], about)
    return str(path)


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
    assert (report["frames"], report["segments"]) == (sum(SHOTS), 4)
    whole, joined = frames_of(tmp_path / "whole.mkv"), frames_of(tmp_path / "joined.mkv")
    assert len(whole) == len(joined) == sum(SHOTS)
    different = [n for n, (one, other) in enumerate(zip(whole, joined)) if not all(map(np.array_equal, one, other))]
    assert different == []


@pytest.mark.parametrize(
    "options", [{"fps": 50}, {"start": 0.2}, {"mask": "auto"}, {"deinterlace": True}, {"sigma": 0, "task": "denoise"}]
)
def test_a_film_whose_frames_depend_on_others_is_not_cut(tmp_path, film, options):
    assert in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(**options), frames=8) is None


def test_a_short_film_or_one_for_pictures_is_not_cut(tmp_path, film):
    assert in_segments.film_for(film / "film.mkv", tmp_path / "out.mkv", Options(sigma=6), frames=20) is None
    assert in_segments.film_for(film / "film.mkv", f"{tmp_path}/out/", Options(sigma=6), frames=8) is None
