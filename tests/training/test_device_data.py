"""Examples made in device memory are those of the host, but for the random numbers (training/device_clips.py too)."""

from functools import partial

import cv2
import jax
import numpy as np
import pytest

from vdiff_jax import config
from vdiff_jax.config import Data
from vdiff_jax.errors import ConfigError
from vdiff_jax.training import device_clips, device_data
from vdiff_jax.training.cache import Split
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.device_data import DeviceExamples

DATA = Data(frames=3, patch=32, batch=2, threads=1, where="device")
TASKS = {"denoise": 1.0}


def texture(height, width, seed):
    """Smoothed noise with contrast."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    return np.clip(128 + 150 * cv2.GaussianBlur(noise, (0, 0), 1.5), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def split():
    photos = [texture(160, 200, n) for n in range(2)]
    wide = texture(72, 120, 2)
    return Split(photos, [np.stack([wide[:, 2 * n : 2 * n + 96] for n in range(9)])])


@pytest.fixture(scope="module")
def examples(split):
    return DeviceExamples(split, DATA, TASKS, seed=3)


def one_of_each(examples):
    """The numbers of an example of photographs and of one of a shot."""
    draws = [examples.draw(n).photos is None for n in range(40)]
    return draws.index(False), draws.index(True)


def test_an_example_is_a_function_of_its_number(examples):
    before = {n: examples(n) for n in one_of_each(examples)}
    for n, example in reversed(before.items()):
        observation, clip = example
        jax.tree.map(np.testing.assert_array_equal, example, examples(n))
        assert clip.shape == observation.values.shape == (3, 32, 32, 3)
        assert observation.velocity.shape == (3, 8, 8, 4)
        assert 0 <= clip.min() < clip.max() <= 1
        assert isinstance(clip, jax.Array)
    batch = next(iter(batches(examples, DATA)))
    assert isinstance(batch.clip, jax.Array)
    np.testing.assert_array_equal(batch.clip[1], examples(1).clip)


def test_clips_are_as_sharp_and_move_as_much_as_those_of_the_host(split, examples):
    host = Examples(split, DATA, TASKS, seed=4)
    for photos in (True, False):
        numbers = [n for n in range(900) if (examples.draw(n).photos is not None) == photos][:60]
        made = np.stack([examples._clean_on_device(examples.draw(n), n) for n in numbers])
        drawn = [np.random.default_rng(n) for n in numbers]
        theirs = np.stack([host._clean(rng, examples.draw(n), 32) for rng, n in zip(drawn, numbers)]) / 255.0
        for axis in (1, 2):  # time, rows
            ours, expected = (np.abs(np.diff(clips, axis=axis)).mean() for clips in (made, theirs))
            assert ours == pytest.approx(expected, rel=0.35), (photos, axis)


def test_areas_are_averaged_and_views_sampled_as_opencv_does():
    picture = texture(60, 70, 5)
    source = device_clips.Source(0, 1, 60, 70)
    reduced = jax.jit(partial(device_clips._reduced, size=32, taps=4))
    small = np.asarray(reduced(picture.reshape(-1, 3), source, 0, (3, 5), np.int32(50), 24))[:24, :24]
    expected = cv2.resize(picture[3:53, 5:55], (24, 24), interpolation=cv2.INTER_AREA)
    assert np.abs(small - expected).max() <= 1
    padded = np.pad(small, ((0, 8), (0, 8), (0, 0)))
    blurred = np.asarray(jax.jit(device_clips._blurred)(padded, np.float32(1.2), np.int32(24)))[:24, :24]
    assert np.abs(blurred - cv2.GaussianBlur(expected, (0, 0), 1.2)).max() <= 2
    y, x = np.meshgrid(np.arange(12) + 5.25, np.arange(12) + 4.5, indexing="ij")
    points = [each[None].astype(np.float32) for each in (y, x)]
    view = jax.jit(device_clips._sampled)(expected.astype(np.float32), *points, np.int32(24))[0]
    matrix = np.array([[1, 0, 4.5], [0, 1, 5.25]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    assert np.abs(view - cv2.warpAffine(expected, matrix, (12, 12), flags=flags)).max() <= 2


def test_what_does_not_fit_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"data\.where must be host or device, not gpu"):
        config.load(None, {"data.where": "gpu"})
    monkeypatch.setattr(device_data, "_LARGEST", 100)
    with pytest.raises(ConfigError, match=r"pass --data\.where host"):
        device_data._sources([texture(16, 16, 0)[None]])
