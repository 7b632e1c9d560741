"""A video opened for repair, and its plan."""

import numpy as np
import pytest
from PIL import Image

from vdiff_jax.errors import MaskError
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.video import cropped, opened, plan_for
from vdiff_jax.runtime.stopwatch import Stopwatch


def test_the_first_frames_are_read_once_and_still_come(sample_clips):
    with opened(sample_clips / "noisy.mkv", Options(), Stopwatch()) as video:
        first = list(video.first)
        frames = list(video.footage.frames)
        assert len(frames) == 8
        assert all(one.pts == other.pts for one, other in zip(first, frames))
        assert next(iter(video.footage.masks)) is None


@pytest.mark.parametrize(("level", "says"), [(0, "black everywhere"), (255, "white everywhere")])
def test_a_mask_of_nothing_or_everything_is_refused(sample_clips, tmp_path, level, says):
    Image.fromarray(np.full((96, 160), level, np.uint8)).save(tmp_path / "mask.png")
    options = Options(mask=tmp_path / "mask.png")
    with pytest.raises(MaskError, match=says), opened(sample_clips / "noisy.mkv", options, Stopwatch()):
        pass


def test_the_plan_takes_the_given_sigma_and_crops_to_the_hole(sample_clips, tmp_path):
    mask = np.zeros((96, 160), np.uint8)
    mask[8:12, 8:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = Options(task="inpaint", mask=tmp_path / "mask.png", weights="fast")
    with opened(sample_clips / "noisy.mkv", options, Stopwatch()) as video:
        plan = plan_for(video, options)
    assert plan.tasks == ("inpaint",)
    assert plan.holes_only
    whole = cropped(plan, None, PixelFormat(kind="gray"))
    assert whole is plan
    with opened(sample_clips / "noisy.mkv", Options(), Stopwatch()) as video:
        plan = plan_for(video, Options(task="denoise", sigma=12, weights="fast"))
    assert plan.sigma_rgb == pytest.approx(12, abs=0.1)
    assert plan.crop is None
