"""What first frames show: each finding on a clip made to have it, and on the same clip without it."""

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream import findings

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


@pytest.fixture(scope="module")
def texture():
    """A smooth random picture in [0, 1], larger than the frames that are cut from it."""
    noise = np.random.default_rng(1).random((200, 400)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(0.5 + 3 * (smooth - smooth.mean()), 0.1, 0.9)


def panned(texture, positions):
    return [texture[20:164, x : x + 192].copy() for x in positions]


def frames_of(lumas, chroma=128):
    small = np.full((72, 96), chroma, np.uint8)
    small[:, :48] += np.uint8(20 if chroma != 128 else 0)
    return [Frame((np.rint(255 * luma).astype(np.uint8), small, small), n) for n, luma in enumerate(lumas)]


def test_fields_of_two_times_are_seen(texture):
    progressive = panned(texture, range(0, 96, 4))
    even = np.arange(144)[:, None] % 2 == 0
    woven = [np.where(even, a, b) for a, b in zip(progressive[::2], progressive[1::2])]
    assert findings.is_combed(woven)
    assert not findings.is_combed(progressive)
    assert not findings.is_combed([progressive[0]] * 5)


def test_fine_detail_that_moves_is_no_comb():
    detail = np.random.default_rng(3).random((200, 400)).astype(np.float32)
    assert not findings.is_combed(panned(detail, range(0, 40, 4)))


@pytest.mark.parametrize("each", [2, 3, 5])
def test_regular_repeats_are_counted(texture, each):
    positions, x = [], 0
    for n in range(24):
        x += 0 if n % each == each - 1 else 6
        positions.append(x)
    assert findings.repeats(panned(texture, positions)) == each


def test_a_still_picture_and_lone_repeats_are_not_repeats(texture):
    assert findings.repeats(panned(texture, [0] * 24)) == 0
    assert findings.repeats(panned(texture, [*range(0, 60, 6), 54, *range(60, 120, 6)])) == 0
    irregular = [0, 6, 6, 12, 18, 24, 30, 36, 42, 42, 48, 54, 54, 60, 66]
    assert findings.repeats(panned(texture, irregular)) == 0


def test_black_bars_are_measured(texture):
    lumas = panned(texture, range(0, 60, 6))
    assert findings.black_bars(lumas, 0.0) == (0, 0, 0, 0)
    for luma in lumas:
        luma[:16] = luma[-12:] = 16 / 255
    assert findings.black_bars(lumas, 16 / 255) == (15, 11, 0, 0)  # the blur that hides noise takes a row
    for luma in lumas:
        luma[-12:] = 0.5  # a dark sky is no bar
    assert findings.black_bars(lumas, 16 / 255) == (0, 0, 0, 0)
    for luma in lumas:
        luma[:16] = luma[-16:] = 0
        luma[16:-16] = 0.04  # a picture this dark shows no edge
    assert findings.black_bars(lumas, 0.0) == (0, 0, 0, 0)
    assert findings.black_bars([np.zeros((144, 192), np.float32)], 0.0) == (0, 0, 0, 0)


def test_a_tint_counts_as_grey(texture):
    lumas = panned(texture, range(3))
    assert findings.is_grey(frames_of(lumas), YUV)
    sepia = [Frame((f.planes[0], f.planes[1] - 12, f.planes[2] + 9), f.pts) for f in frames_of(lumas)]
    assert findings.is_grey(sepia, YUV)
    assert not findings.is_grey(frames_of(lumas, chroma=100), YUV)
    red = PixelFormat(kind="rgb", full_range=True)
    grey = [Frame((f.planes[0],) * 3, f.pts) for f in frames_of(lumas)]
    assert findings.is_grey(grey, red)
    assert not findings.is_grey([Frame((f.planes[0], f.planes[0] // 2, f.planes[0]), f.pts) for f in grey], red)


def test_old_film_flickers_or_is_dusty(texture):
    lumas = panned(texture, range(24))
    assert not findings.is_old_film(frames_of(lumas), YUV)
    rng = np.random.default_rng(2)
    flickering = [np.clip(luma * (1 + 0.04 * rng.normal()), 0, 1) for luma in lumas]
    assert findings.is_old_film(frames_of(flickering), YUV)
    assert not findings.is_old_film(frames_of(flickering, chroma=100), YUV)
    for luma in lumas:
        for y, x in rng.integers(10, 130, (4, 2)):
            luma[y : y + 4, x : x + 4] = 1.0
    assert findings.is_old_film(frames_of(lumas), YUV)
