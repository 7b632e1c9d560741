"""Animated WebP, PNG and GIF are videos: every frame, its time and its transparency come through."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vdiff_jax.errors import InputError
from vdiff_jax.media import open_reader, probe
from vdiff_jax.media.animation import frame_durations

DURATIONS = [40, 80, 120, 40, 200]


@pytest.fixture
def animate(tmp_path):
    """Writes an animation of a square that moves over a transparent background, or over an opaque one."""

    def run(name, *, opaque=False, durations=DURATIONS, **options):
        pictures = []
        for n in range(len(durations)):
            picture = np.zeros((24, 32, 4), np.uint8)
            picture[..., 3] = 255 if opaque else 0
            picture[4:12, 3 * n : 3 * n + 8] = (250, 20 * n, 40, 255)
            pictures.append(Image.fromarray(picture))
        first, *rest = pictures
        first.save(tmp_path / name, save_all=True, append_images=rest, duration=durations, loop=0, **options)
        return tmp_path / name, [np.asarray(picture) for picture in pictures]

    return run


@pytest.mark.parametrize("name", ["moving.webp", "moving.png", "moving.apng"])
def test_every_frame_comes_at_its_time(animate, name):
    options = {"lossless": True, "exact": True} if name.endswith("webp") else {"format": "PNG"}
    path, pictures = animate(name, **options)
    with open_reader(path) as reader:
        info, frames = reader.info, list(reader)
    assert [frame.pts * info.time_base * 1000 for frame in frames] == [0, 40, 120, 240, 280]
    assert info.pixels.alpha
    for frame, picture in zip(frames, pictures, strict=True):
        np.testing.assert_array_equal(
            np.stack(frame.planes[:3], -1)[4:12], picture[4:12, :, :3] * (frame.planes[3] > 0)[4:12, :, None]
        )
        np.testing.assert_array_equal(frame.planes[3], picture[..., 3])


def test_an_opaque_webp_has_no_transparency(animate):
    path, _ = animate("opaque.webp", opaque=True)
    info = probe(path)
    assert not info.pixels.alpha
    assert (info.frames, info.duration, info.rate) == (5, 0.48, Fraction(500, 48))


def test_a_part_starts_at_its_first_frame(animate):
    path, pictures = animate("moving.webp", lossless=True)
    with open_reader(path, start=0.1, stop=0.28) as reader:
        frames = list(reader)
    assert [(frame.pts, frame.duration) for frame in frames] == [(0, 120), (120, 40)]
    np.testing.assert_array_equal(frames[0].planes[3], pictures[2][..., 3])
    with pytest.raises(InputError, match=r"has 5 frames \(0.48 s\), none of them in this part"):
        open_reader(path, start=3)


def test_a_duration_of_zero_lasts_a_tenth_of_a_second(animate):
    path, _ = animate("fast.webp", durations=[0, 20, 0])
    assert frame_durations(path.read_bytes()) == [100, 20, 100]


def test_a_damaged_animation_is_an_error(animate):
    path, _ = animate("moving.webp", lossless=True)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"moving\.webp"), open_reader(path) as reader:
        list(reader)


def test_a_still_is_a_picture(tmp_path):
    for name in ("still.webp", "still.png"):
        Image.new("RGB", (16, 8)).save(tmp_path / name)
        with open_reader(tmp_path / name) as reader:
            assert len(list(reader)) == 1
