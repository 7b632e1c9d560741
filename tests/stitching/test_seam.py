import cv2
import numpy as np

from vdiff_jax.stitching import seam


def _overlapping():
    picture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (64, 128, 3)), (0, 0), 2)
    seen = np.zeros((2, 64, 128), bool)
    seen[0, :, :90], seen[1, :, 40:] = True, True
    return np.stack([picture, picture]) * seen[..., None], seen


def test_the_seam_avoids_motion_and_stays_otherwise():
    pictures, seen = _overlapping()
    nothing = np.zeros((64, 128), bool)
    still = seam.place_seams(pictures, seen, nothing, [0, 1])
    assert set(np.unique(still)) == {0, 1}
    assert (still[:, :40] == 0).all()
    assert (still[:, 90:] == 1).all()
    mover = nothing.copy()
    mover[:, 55:72] = True
    mover[:, 84:] = False
    assert seam.cells_crossed(still, mover) > 0
    moved = seam.place_seams(pictures, seen, mover, [0, 1], still)
    assert seam.cells_crossed(moved, mover) == 0
    np.testing.assert_array_equal(seam.place_seams(pictures, seen, nothing, [0, 1], moved), moved)


def test_a_camera_added_below_keeps_the_cells_that_only_it_sees():
    pictures, _ = _overlapping()
    seen = np.zeros((2, 64, 128), bool)
    seen[0, :40], seen[1, 20:] = True, True
    labels = seam.place_seams(pictures, seen, np.zeros((64, 128), bool), [0, 1])
    assert (labels[:20] == 0).all()
    assert (labels[40:] == 1).all()


def test_cameras_are_added_next_to_earlier_ones():
    assert seam.joining_order(4, 2, [(0, 1), (1, 2), (2, 3)]) == [2, 1, 0, 3]
    assert seam.joining_order(3, 0, [(0, 2)]) == [0, 2, 1]
