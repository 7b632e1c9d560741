"""What folders and globs hold."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from vdiff_jax.errors import InputError
from vdiff_jax.media import list_pictures, list_videos, open_reader, write_picture


def test_pictures_are_sorted_by_the_numbers_in_their_names(tmp_path):
    for number in (10, 9, 100, 1):
        write_picture(tmp_path / f"shot {number}.png", np.full((6, 5, 3), number, np.uint8))
    with open_reader(tmp_path) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 9, 10, 100]
        assert (reader.info.frames, reader.info.pixels.name, reader.info.width) == (4, "gbrp", 5)
    with open_reader(str(tmp_path / "shot 1*.png"), picture_rate=Fraction(10)) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 10, 100]
        assert reader.info.duration == pytest.approx(0.3)
    with open_reader(tmp_path / "shot 9.png") as reader:
        assert len(list(reader)) == 1


def test_a_folder_of_videos_is_a_batch(tmp_path, make_clip):
    clip = make_clip("b.mkv", count=1)
    make_clip("a.mkv", count=1)
    assert list_videos(clip.path) is None
    assert [path.name for path in list_videos(tmp_path)] == ["a.mkv", "b.mkv"]
    assert [path.name for path in list_videos(str(tmp_path / "b*"))] == ["b.mkv"]
    with pytest.raises(InputError, match="holds videos, not pictures"):
        open_reader(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_picture(pictures / "0.png", np.zeros((4, 4), np.uint8))
    assert list_videos(pictures) is None
    with pytest.raises(InputError, match="no such file or folder"):
        list_videos(tmp_path / "nothing")


def test_linear_light_is_refused_by_name(tmp_path):
    (tmp_path / "shot.0001.exr").write_bytes(b"v/1\x01")
    for source in (tmp_path, tmp_path / "shot.0001.exr", str(tmp_path / "*.exr")):
        with pytest.raises(InputError, match=r"\.exr pictures \(shot\.0001\.exr\) store linear light"):
            open_reader(source)
    with pytest.raises(InputError, match="convert them to PNG"):
        list_videos(tmp_path)


@pytest.mark.parametrize(("form", "dtype"), [("rgb24", np.uint8), ("gbrp10le", np.uint16), ("gbrp12le", np.uint16)])
def test_dpx_pictures_are_a_video(tmp_path, form, dtype):
    peak, pictures = (255 if dtype is np.uint8 else 65535), []
    for n in range(3):
        ramp = np.linspace(0, peak, 32 * 24 * 3).reshape(24, 32, 3).astype(dtype)
        pictures.append(np.roll(ramp, n, axis=1))
        context = av.CodecContext.create("dpx", "w")
        context.width, context.height, context.pix_fmt, context.time_base = 32, 24, form, Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(pictures[-1], "rgb24" if dtype is np.uint8 else "rgb48le")
        (tmp_path / f"shot.{n}.dpx").write_bytes(bytes(context.encode(frame.reformat(format=form))[0]))
    with open_reader(tmp_path) as reader:
        frames = list(reader)
        high = reader.info.pixels.peak
    for frame, picture in zip(frames, pictures, strict=True):
        shown = np.stack(frame.planes, -1).astype(float) / high
        np.testing.assert_allclose(shown, picture / peak, atol=2 / 1023)


def test_animated_pictures_count_as_videos(tmp_path):
    frames = [Image.new("RGB", (16, 8), (80 * n, 0, 0)) for n in range(3)]
    for name in ("a.webp", "b.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    assert [path.name for path in list_videos(tmp_path)] == ["a.webp", "b.png"]
    assert list_videos(tmp_path / "a.webp") is None
    frames[0].save(tmp_path / "c.png")
    assert [path.name for path in list_pictures(tmp_path)] == ["c.png"]
