import cv2
import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.calibrate_rig import calibrate_rig, sample_frames
from vdiff_jax.stitching.calibration import load_calibration
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.source import open_sources

RATE = 20.0


def _corner_error(found, truth) -> float:
    """The median distance in pixels of the second camera's corners, in the first camera."""
    frame = corners(300, 216)
    return float(np.median(np.linalg.norm(project(found, frame) - project(truth, frame), axis=1)))


def _shaken(wide, cameras, path, count) -> list:
    """Two cameras that are carried together along a path of shifts; the second one starts three frames later."""
    left, right, shoot = cameras
    shifts = [np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in path]
    clips = [
        np.concatenate([shoot(frame[None], shift @ pose) for frame, shift in zip(wide, shifts)])
        for pose in (left, right)
    ]
    return [clips[0][:count], clips[1][3 : count + 3]]


def test_the_same_inputs_give_the_same_calibration(rig, known):
    found, _, _ = calibrate_rig(open_sources(rig.clips, [RATE, RATE]))
    saved = load_calibration(known)
    np.testing.assert_array_equal(found.homographies, saved.homographies)
    np.testing.assert_array_equal(found.offsets, saved.offsets)
    np.testing.assert_array_equal(found.gains, saved.gains)


def test_offsets_and_gains_are_relative_to_the_first_input_and_rates_may_differ(rig):
    sources = open_sources([rig.clips[1][::2], rig.clips[0]], [RATE / 2, RATE])
    found, _, _ = calibrate_rig(sources)
    assert found.offsets[0] == 0
    assert found.offsets[1] == pytest.approx(-4 / RATE, abs=0.5 / RATE)
    np.testing.assert_allclose(found.gains, [[1, 1, 1], [0.8, 0.85, 0.95]], rtol=0.01)


def test_a_rig_that_moves_as_a_whole_is_synchronised_first(wide, cameras):
    """Frames of different moments have no common geometry, so nothing matches until the offset is found."""
    rng = np.random.default_rng(1)
    path = cv2.GaussianBlur(rng.normal(0, 1, (24, 2)), (1, 5), 0) * [14, 9]
    found, _, _ = calibrate_rig(open_sources(_shaken(wide, cameras, path, 20), [RATE, RATE]))
    assert found.offsets[1] == pytest.approx(3 / RATE, abs=0.25 / RATE)
    assert _corner_error(np.linalg.solve(*found.homographies[0]), np.linalg.solve(*cameras[:2])) < 0.5


def test_a_faint_rig_that_shakes_at_every_frame_is_synchronised_to_the_frame(wide, cameras):
    """It has so little detail that nothing matches half a tenth of a second away from the true offset."""
    rng = np.random.default_rng(1)
    clips = []
    for clip in _shaken(wide, cameras, rng.normal(0, 9, (19, 2)), 16):
        faint = 125 + (clip - 125.0) * 0.2
        clips.append(np.rint(faint + rng.normal(0, 2, faint.shape)).clip(0, 255).astype(np.uint8))
    found, _, _ = calibrate_rig(open_sources(clips, [RATE, RATE]))
    assert found.offsets[1] == pytest.approx(3 / RATE, abs=0.25 / RATE)
    assert _corner_error(np.linalg.solve(*found.homographies[0]), np.linalg.solve(*cameras[:2])) < 0.5


def test_sample_frames_leave_out_moments_at_which_a_camera_is_black(rig):
    first, second = (clip.copy() for clip in rig.clips)
    second[8:] = 0
    times, views = sample_frames(open_sources([first, second], [RATE, RATE]), np.array([0, 0.2]))
    assert 1 < len(times) < 6
    assert times.min() >= 0.2
    assert times.max() < 0.2 + 8 / RATE
    for time, one, other in zip(times, *views):
        np.testing.assert_array_equal(one, first[round(time * RATE)])
        np.testing.assert_array_equal(other, second[round((time - 0.2) * RATE)])
    with pytest.raises(StitchError, match="input 1 and input 2 have no frames at the same time"):
        sample_frames(open_sources([first, second], [RATE, RATE]), np.array([0.0, 9.0]))
