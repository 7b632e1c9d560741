import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.canvas import plan_canvas, to_surface
from vdiff_jax.stitching.warper import warp_camera

SIZE = (320, 240)


@pytest.mark.parametrize("kind", ["planar", "cylindrical"])
@pytest.mark.parametrize("roll", [90, -90, 180])
def test_most_cameras_are_upright_at_any_roll_of_the_reference(rotated_rig, kind, roll):
    rig = rotated_rig([1, roll, -1], reference=1)
    canvas = plan_canvas(rig, kind=kind)
    assert canvas.width > 1.5 * canvas.height
    ends = to_surface(canvas, rig.homographies[0, 0], np.array([[0.0, 120], [319, 120]]))
    across, down = ends[1] - ends[0]
    assert across > 200
    assert abs(down) < 0.15 * across
    # The mapping to the surface and the warp back agree.
    warp = warp_camera(canvas, rig.homographies[0, 1], SIZE)
    middle = to_surface(canvas, rig.homographies[0, 1], np.array([[100.0, 70.0]]))[0] - canvas.origin
    column, row = np.rint(middle).astype(int) - warp.box[:2]
    place = np.array([each[row, column] for each in warp.coordinates])
    assert np.abs(place - [100, 70]).max() < 1.5


def test_the_field_of_view_decides_between_plane_and_cylinder(rotated_rig):
    assert plan_canvas(rotated_rig([0, 0], reference=0, yaw=20.0)).kind == "planar"
    assert plan_canvas(rotated_rig([0, 0, 0], reference=1, yaw=35.0)).kind == "cylindrical"


def test_a_canvas_that_is_too_large_is_refused(rotated_rig):
    rig = rotated_rig([0, 0], reference=0, yaw=80.0)
    with pytest.raises(StitchError, match="the planar canvas would have"):
        plan_canvas(rig, kind="planar")
