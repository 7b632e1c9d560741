"""Flicker is evened out; fades, flashes, cuts and steady shots stay bit for bit as they are."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.brightness import even_brightness, flicker_gain

PIXELS = PixelFormat(kind="gray", full_range=True)
SCENE = np.tile(np.linspace(60, 200, 64), (48, 1))


def frames_of(gains, scenes=None):
    pictures = [gain * (SCENE if scenes is None else scenes[n]) for n, gain in enumerate(gains)]
    return [Frame((np.clip(np.rint(picture), 0, 255).astype(np.uint8),), n) for n, picture in enumerate(pictures)]


def evened(frames):
    return list(even_brightness(frames, PIXELS))


def brightness(frames):
    return np.array([frame.planes[0].mean() for frame in frames])


STEADY = {
    "a still": [1.0] * 30,
    "a fade from black": [0.0] * 5 + [n / 15 for n in range(16)] + [1.0] * 20,
    "a fade to black": [1.0] * 20 + [1 - n / 12 for n in range(13)] + [0.0] * 8,
    "an eased fade": [0.5 - 0.5 * np.cos(np.pi * min(max(n - 8, 0) / 20, 1)) for n in range(40)],
    "a flash of one frame": [0.6] * 14 + [1.2] + [0.6] * 20,
    "a flash and brighter light after it": [0.5] * 14 + [1.25, 1.25] + [0.8] * 20,
    "a short clip": [1.0, 0.9, 1.0, 0.9, 1.0],
}


@pytest.mark.parametrize("name", STEADY)
def test_what_does_not_flicker_stays_as_it_is(name):
    frames = frames_of(STEADY[name])
    results = evened(frames)
    assert [frame.pts for frame in results] == list(range(len(frames)))
    for frame, result in zip(frames, results):
        np.testing.assert_array_equal(result.planes[0], frame.planes[0])


def test_flicker_goes():
    rng = np.random.default_rng(0)
    frames = frames_of(0.9 * (1 + 0.03 * rng.standard_normal(60)))
    before, after = brightness(frames), brightness(evened(frames))
    assert np.abs(np.diff(after)).mean() < 0.4 * np.abs(np.diff(before)).mean()
    assert after.mean() == pytest.approx(before.mean(), rel=0.01)


def test_flicker_goes_from_a_fade_without_delaying_it():
    rng = np.random.default_rng(1)
    fade = np.linspace(0.4, 1.2, 60)
    after = brightness(evened(frames_of(fade * (1 + 0.02 * rng.standard_normal(60)))))
    np.testing.assert_allclose(after[5:-5], (fade * SCENE.mean())[5:-5], rtol=0.025)


def test_a_cut_does_not_change_the_brightness_on_either_side():
    gains = 1 + 0.02 * np.random.default_rng(2).standard_normal(40)
    scenes = [SCENE] * 20 + [0.4 * SCENE[:, ::-1]] * 20
    after = brightness(evened(frames_of(gains, scenes)))
    np.testing.assert_allclose(after[:20], SCENE.mean(), rtol=0.03)
    np.testing.assert_allclose(after[20:], 0.4 * SCENE.mean(), rtol=0.03)


def test_black_of_limited_range_stays_black():
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    chroma = np.full((24, 32), 128, np.uint8)
    frames = []
    for n in range(30):
        luma = np.rint(16 + (1 + 0.05 * (-1) ** n) * np.tile(np.linspace(0, 180, 64), (48, 1))).astype(np.uint8)
        frames.append(Frame((luma, chroma, chroma), n))
    results = list(even_brightness(frames, pixels))
    assert all((frame.planes[0][:, 0] == 16).all() and (frame.planes[1] == 128).all() for frame in results)
    assert np.ptp([frame.planes[0].mean() for frame in results[5:-5]]) < 2


def test_the_gain_takes_the_flicker_away():
    means = np.full(21, 0.5)
    means[::2] *= 1.04
    assert flicker_gain(means, 10) * means[10] == pytest.approx(0.51, rel=0.01)
    assert flicker_gain(means[:8], 4) == 1
