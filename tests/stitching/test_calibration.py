import dataclasses
import json

import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching import calibration


def test_a_saved_calibration_is_loaded_unchanged(estimated, tmp_path):
    found = dataclasses.replace(estimated, offsets=np.array([0, 0.16]), gains=np.array([[1, 1, 1], [1.25, 1.2, 1.1]]))
    found.save(tmp_path / "rig.json")
    loaded = calibration.load_calibration(tmp_path / "rig.json")
    for field in dataclasses.fields(found):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(found, field.name))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 7}', '{"version": 1, "sizes": [[1, 2]]}'])
def test_errors_name_a_file_that_is_no_calibration(tmp_path, text):
    (tmp_path / "rig.json").write_text(text)
    with pytest.raises(StitchError, match=r"rig\.json"):
        calibration.load_calibration(tmp_path / "rig.json")
    with pytest.raises(StitchError, match="no such file"):
        calibration.load_calibration(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"times": 1.0},
        {"times": [float("nan")]},
        {"focal": 10**400},
        {"reference": 2},
        {"sizes": [[float("inf"), 1]] * 2},
    ],
)
def test_a_damaged_number_is_an_error_that_names_the_file(estimated, tmp_path, fields):
    estimated.save(tmp_path / "rig.json")
    saved = json.loads((tmp_path / "rig.json").read_text())
    (tmp_path / "rig.json").write_text(json.dumps(saved | fields))
    with pytest.raises(StitchError, match=r"rig\.json"):
        calibration.load_calibration(tmp_path / "rig.json")


def test_a_calibration_of_other_cameras_is_refused(estimated):
    calibration.check_fits(estimated, [(300, 216), (300, 216)])
    with pytest.raises(StitchError, match="same order"):
        calibration.check_fits(estimated, [(300, 216), (640, 360)])


def test_homographies_are_interpolated_and_go_on_for_one_interval_after_the_last_key_moment(estimated):
    ends = np.stack([estimated.homographies[0], estimated.homographies[0] + np.eye(3)])
    moving = dataclasses.replace(estimated, homographies=ends, times=np.array([0.0, 0.2]))
    np.testing.assert_allclose(moving.at(0.05), ends[0] + 0.25 * np.eye(3))
    np.testing.assert_allclose(moving.at(0.3), ends[0] + 1.5 * np.eye(3))
    np.testing.assert_allclose(moving.at(9.0), ends[0] + 2 * np.eye(3))
    np.testing.assert_array_equal(estimated.at(9.0), estimated.homographies[0])
