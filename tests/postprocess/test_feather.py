"""Grown masks: under them what was made, beyond them what was there, and between them a way from one to the other."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.feather import Feather, feather_weight

WIDTH = 3


@pytest.fixture
def mask():
    mask = np.zeros((31, 40), bool)
    mask[10:16, 12:20] = True
    return mask


def test_a_share_falls_with_the_distance(mask):
    share = feather_weight(mask, WIDTH)
    assert (share[mask] == 1).all()
    np.testing.assert_allclose(share[12, 20:26], [0.75, 0.5, 0.25, 0, 0, 0], atol=1e-6)
    assert not feather_weight(np.zeros_like(mask), WIDTH).any()
    assert (feather_weight(np.ones_like(mask), WIDTH) == 1).all()


def test_what_was_made_fades_into_each_frame_of_its_own(mask):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    feather = Feather(WIDTH, pixels)
    shapes = pixels.plane_shapes(40, 31)
    before = [Frame(tuple(np.full(s, 40 * n, np.uint8) for s in shapes), n) for n in range(3)]
    made = [Frame(tuple(np.full(s, 200, np.uint8) for s in shapes), n) for n in range(3)]
    masks = [mask, np.zeros_like(mask), np.roll(mask, 8, axis=1)]
    assert list(feather.keep(before)) == before
    grown = [feather.grow(mask) for mask in masks]
    faded = list(feather.fade(made))
    for n, (one, hidden, wide) in enumerate(zip(faded, masks, grown)):
        luma, chroma = one.planes[:2]
        assert (luma[hidden] == 200).all()
        assert (luma[~wide] == 40 * n).all()
        ring = luma[wide & ~hidden]
        assert ((ring > 40 * n) & (ring < 200)).all()
        assert (chroma[10 // 2 : 16 // 2, 6:10] == 200).all() == (n == 0)
        assert (chroma[0] == 40 * n).all()
    assert not grown[1].any()
