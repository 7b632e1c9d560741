"""VMAF, measured by a separate FFmpeg program."""

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import MissingError
from vdiff_jax.media import Frame, PixelFormat, Vmaf, vmaf

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))


def frames(bits: int, sigma: float) -> list[Frame]:
    """A texture in motion, blurred."""
    noise = np.random.default_rng(0).uniform(0, 255, (80, 120)).astype(np.float32)
    texture = cv2.GaussianBlur(cv2.GaussianBlur(noise, (0, 0), 1) * 4 - 380, (0, 0), sigma)
    texture = np.clip(texture, 16, 235) * (1 << bits - 8)
    chroma = np.full((32, 48), 1 << bits - 1)
    dtype = np.uint8 if bits == 8 else np.uint16
    lumas = (texture[n : n + 64, n : n + 96] for n in range(4))
    return [Frame(tuple(p.astype(dtype) for p in (luma, chroma, chroma)), n) for n, luma in enumerate(lumas)]


@pytest.mark.parametrize("bits", [8, 10])
def test_equal_frames_score_best_and_more_blur_scores_worse(bits):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), bits=bits)
    measure, truth = Vmaf(), frames(bits, 0.01)
    same, less, worst = (measure(frames(bits, sigma), truth, pixels) for sigma in (0.01, 0.7, 1.5))
    assert same.shape == (4,)
    assert same.mean() > 95
    assert same.mean() > less.mean() + 3 > worst.mean() + 6


def test_each_frame_has_its_own_score():
    truth = frames(8, 0.01)
    shown = [*truth[:2], *frames(8, 1.5)[2:]]
    scores = Vmaf()(shown, truth, PIXELS)
    assert scores[:2].min() > scores[2:].max() + 5


def test_without_libvmaf_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(vmaf, "_candidates", lambda: iter(["/nowhere/ffmpeg", "true"]))
    with pytest.raises(MissingError, match=r"pip install 'vdiff_jax\[vmaf\]'"):
        Vmaf()


def test_an_ffmpeg_with_libvmaf_is_found_after_one_without(monkeypatch):
    there = next(vmaf._candidates())
    monkeypatch.setattr(vmaf, "_candidates", lambda: iter(["true", there]))
    assert len(Vmaf()(frames(8, 1.0), frames(8, 0.01), PIXELS)) == 4
