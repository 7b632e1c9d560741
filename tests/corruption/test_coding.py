"""Clips through codecs: what comes back lies where it was, and is the same on every run."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from vdiff_jax.corruption.coding import coded, planes_of_rgb, rgb_to_stored
from vdiff_jax.media.colour import from_rgb
from vdiff_jax.media.recode import codecs
from vdiff_jax.pixels import PixelFormat


def texture(frames: int = 4) -> np.ndarray:
    """Moving detail of all sizes, as a scene has."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft2(rng.normal(size=(160, 160)))
    frequency = np.hypot(np.fft.fftfreq(160)[:, None], np.fft.rfftfreq(160)[None])
    scene = np.fft.irfft2(spectrum / (frequency + 0.01) ** 1.4)
    scene = np.clip(0.5 + 0.2 * scene / scene.std(), 0, 1).astype(np.float32)
    return np.stack([np.stack([scene[n : n + 128, 2 * n : 2 * n + 128]] * 3, axis=-1) for n in range(frames)])


def test_av1_carries_no_quantisers_and_leaves_an_error():
    if "av1" not in codecs():
        return
    clip = texture()
    drawn = (coded(np.random.default_rng(seed), clip) for seed in itertools.count())
    video = next(video for video in drawn if video.codec == "av1")
    assert np.isnan(video.quantisers).all()
    assert 0.001 < np.abs(video.clip - rgb_to_stored(clip)).mean() < 0.1


@pytest.mark.parametrize("scale", [4 / 5, 1 / 2])
def test_a_clip_coded_at_a_smaller_size_keeps_its_place_and_loses_detail(scale):
    clip = texture(frames=2)[:, :96, :90]
    seed = next(n for n in range(9) if coded(np.random.default_rng(n), clip, scale=scale).codec == "mpeg2video")
    shown = coded(np.random.default_rng(seed), clip, scale=scale).clip[..., 0]
    truth = rgb_to_stored(clip)[..., 0]
    assert shown.shape == truth.shape
    moved = [
        np.mean((shown[:, 2:-2, 2:-2] - np.roll(truth, step, axis=(1, 2))[:, 2:-2, 2:-2]) ** 2) for step in (-1, 0, 1)
    ]
    assert moved[1] < min(moved[0], moved[2])
    fine = [np.square(np.diff(luma[:, 4:-4, 4:-4], n=2, axis=2)).mean() for luma in (shown, truth)]
    assert fine[0] < 0.5 * fine[1]


CODED_CLIPS = """
import hashlib, numpy as np
from vdiff_jax.corruption.coding import coded
for side, clips in ((16, 30), (64, 10)):
    y, x = np.mgrid[:side, :side]
    waves = np.stack([np.sin((x + 3 * t) / 4) + np.sin(y / 5) for t in range(4)])[..., None]
    for seed in range(clips):
        noise = np.random.default_rng(seed).normal(size=(4, side, side, 3))
        clip = np.clip(0.5 + 0.15 * waves + 0.2 * (seed % 2) * noise, 0, 1).astype(np.float32)
        print(side, seed, hashlib.md5(coded(np.random.default_rng(seed), clip).clip).hexdigest())
"""


def test_uninitialised_memory_does_not_change_the_result():
    """Encoders read memory that they never wrote. glibc fills new memory with another value in each run."""
    hashes = []
    for fill in ("1", "170"):
        environment = {**os.environ, "MALLOC_PERTURB_": fill}
        run = subprocess.run(
            [sys.executable, "-c", CODED_CLIPS], env=environment, capture_output=True, text=True, check=True
        )
        hashes.append(run.stdout.splitlines())
    assert len(hashes[0]) == 40
    assert hashes[0] == hashes[1]


def test_planes_are_those_of_the_media_room():
    frame = texture(1)[0] * np.array([1.0, 0.7, 0.3], np.float32)
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
    luma = from_rgb(frame, pixels)[0]
    assert np.abs(planes_of_rgb(frame)[0].astype(int) - luma).max() <= 1
