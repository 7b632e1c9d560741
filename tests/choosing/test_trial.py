"""Trial clips: frames reduced until clean, then damaged as the plan says."""

import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.choosing.trial import make_trial
from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize

PIXELS = PixelFormat(kind="gray", full_range=True)


def frames_of(height: int, width: int) -> list[Frame]:
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 128 + 64
    return [Frame((ramp.astype(np.uint8),), n) for n in range(3)]


def plan(task: str, height: int, width: int, sigma: float) -> Plan:
    error = np.full(3, sigma / 255, np.float32)
    return Plan(
        tasks=(task,), weights="", why="", conversion=SameSize(PIXELS, (height, width)), sigma=error, sigma_rgb=sigma
    )


def test_noise_of_the_planned_strength_is_added_to_reduced_frames(tmp_path):
    trial = make_trial(frames_of(128, 160), PIXELS, plan("denoise", 128, 160, 8.0), tmp_path)
    assert trial.size == (64, 80)
    assert trial.area_ratio == 4
    assert len(trial.clean) == 3
    with media.open_reader(trial.damaged) as reader:
        noisy = np.stack([frame.planes[0] for frame in reader]) / 255
    noise = 255 * (noisy - np.stack(trial.clean)[..., 0])
    assert 7.5 < noise.std() < 8.5


def test_the_score_is_that_of_the_damaged_clip(tmp_path):
    trial = make_trial(frames_of(128, 160), PIXELS, plan("denoise", 128, 160, 8.0), tmp_path)
    with media.open_reader(trial.damaged) as reader:
        assert trial.psnr(reader, reader.info.pixels) == pytest.approx(30.1, abs=0.3)


def test_frames_too_small_to_be_reduced_are_refused(tmp_path):
    with pytest.raises(OptionError, match="at least 96"):
        make_trial(frames_of(64, 160), PIXELS, plan("denoise", 64, 160, 8.0), tmp_path)
