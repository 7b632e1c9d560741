import dataclasses

import numpy as np
import pytest

from vdiff_jax.stitching.canvas import plan_canvas
from vdiff_jax.stitching.compose import Composer


@pytest.fixture(scope="module")
def views(rig):
    """Six moments of both cameras, at the same times."""
    return [list(rig.clips[0][4:10]), list(rig.clips[1][:6])]


@pytest.fixture(scope="module")
def gained(estimated):
    """The rig with its true gains."""
    return dataclasses.replace(estimated, gains=np.array([[1, 1, 1], 1 / np.array([0.8, 0.85, 0.95])]))


@pytest.fixture(scope="module")
def composer(gained, views):
    return Composer(gained, plan_canvas(gained), views)


def test_blending_changes_only_what_differs_between_the_cameras(composer, views):
    frames = [view[0] for view in views]
    plain = composer.without_blending(frames).astype(int)
    blended = composer(frames)
    assert blended.shape == plain.shape
    covered = composer.covered()
    assert (plain[~covered] == 0).all()
    assert (plain[covered].max(axis=-1) > 0).mean() > 0.999
    # The gains are right, so little remains to be blended.
    assert np.abs(blended - plain).mean() < 1.0


@pytest.mark.parametrize("missing", [None, "black"])
def test_a_missing_camera_leaves_its_pixels_to_the_other(composer, views, missing):
    first, second = (view[0] for view in views)
    composer([first, second])
    both = composer.covered()
    composer([first, None if missing is None else np.zeros_like(second)])
    assert composer.present == (True, False)
    assert set(np.unique(composer.labels)) == {-1, 0}
    assert composer.covered().sum() < both.sum()
    composer([None, None])
    assert not composer.covered().any()
    composer([first, second])
    assert set(np.unique(composer.labels)) == {-1, 0, 1}


def test_the_seam_moves_away_from_a_thing_that_comes_across_it(gained, views):
    composer = Composer(gained, plan_canvas(gained), views)
    composer.compile([view[0] for view in views])
    before = composer.labels.copy()
    changes = composer.seam_changes
    # A bright thing in both cameras, in the middle of the overlap and half as high as the picture.
    frames = [view[0].copy() for view in views]
    thing = np.zeros((216, 300), bool)
    thing[60:160, 220:250] = True
    frames[0][thing] = 250
    columns, rows = np.meshgrid(np.arange(300.0), np.arange(216.0))
    across = np.linalg.solve(gained.homographies[0, 0], gained.homographies[0, 1])
    x, y, depth = np.tensordot(across, np.stack([columns, rows, np.ones_like(rows)]), 1)
    x, y = np.rint(x / depth).astype(int), np.rint(y / depth).astype(int)
    inside = (x >= 0) & (x < 300) & (y >= 0) & (y < 216)
    frames[1][inside & thing[y.clip(0, 215), x.clip(0, 299)]] = 210
    composer(frames)
    assert composer.seam_changes == changes + 1
    assert (composer.labels != before).any()
    assert composer.blocked == 0
