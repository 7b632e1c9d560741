"""An alpha channel that is opaque everywhere is none; a single transparent pixel keeps it."""

import av
import numpy as np
import pytest
from PIL import Image

from vdiff_jax.media import open_reader

SIZE = (16, 12)


def pictures(transparent):
    """Three pictures, the last of which has one transparent pixel, or none."""
    result = np.random.default_rng(1).integers(0, 256, (3, SIZE[1], SIZE[0], 4), np.uint8)
    result[..., 3] = 255
    result[2, 5, 5, 3] = 0 if transparent else 255
    return [Image.fromarray(each) for each in result]


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animations(tmp_path, name, transparent):
    first, *others = pictures(transparent)
    path = tmp_path / name
    options = {"disposal": 2} if name == "a.gif" else {"lossless": True} if name == "a.webp" else {}
    first.save(path, save_all=True, append_images=others, duration=40, **options)
    with open_reader(path) as reader:
        assert reader.info.pixels.alpha == transparent
        assert sum(len(frame.planes) for frame in reader) == 3 * (4 if transparent else 3)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(
    ("codec", "ending", "form"),
    [("libvpx-vp9", "webm", "yuva420p"), ("prores_ks", "mov", "yuva444p10le"), ("qtrle", "mov", "argb")],
)
def test_encoded_video(tmp_path, codec, ending, form, transparent):
    """The last frame of 20 has a transparent block. A lossy codec does not store the value of opaque exactly."""
    noise = np.random.default_rng(1).integers(0, 256, (20, 48, 64, 4), np.uint8)
    noise[..., 3] = 255
    noise[-1, 8:24, 8:24, 3] = 0 if transparent else 255
    path = tmp_path / f"a.{ending}"
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25, width=64, height=48, pix_fmt=form)
        stream.codec_context.options = {"crf": "50", "b": "0", "cpu-used": "8", "deadline": "realtime"}
        for number, picture in enumerate(noise):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with open_reader(path) as reader:
        assert reader.info.pixels.alpha == transparent
        assert [len(frame.planes) for frame in reader] == [4 if transparent else 3] * 20


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("ending", [".png", ".webp", ".tif"])
def test_folders_of_pictures(tmp_path, ending, transparent):
    for number, picture in enumerate(pictures(transparent)):
        plain = picture.convert("RGB") if number == 0 else picture
        plain.save(tmp_path / f"{number}{ending}", **({"lossless": True} if ending == ".webp" else {}))
    with open_reader(tmp_path) as reader:
        assert reader.info.pixels.alpha == transparent
        assert [len(frame.planes) for frame in reader] == [4 if transparent else 3] * 3
