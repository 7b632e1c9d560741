"""An alpha channel that is opaque everywhere is none; a single transparent pixel keeps it."""

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
@pytest.mark.parametrize("ending", [".png", ".webp", ".tif"])
def test_folders_of_pictures(tmp_path, ending, transparent):
    for number, picture in enumerate(pictures(transparent)):
        plain = picture.convert("RGB") if number == 0 else picture
        plain.save(tmp_path / f"{number}{ending}", **({"lossless": True} if ending == ".webp" else {}))
    with open_reader(tmp_path) as reader:
        assert reader.info.pixels.alpha == transparent
        assert [len(frame.planes) for frame in reader] == [4 if transparent else 3] * 3
