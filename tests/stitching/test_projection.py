import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vdiff_jax.stitching import projection
from vdiff_jax.stitching.bundle_adjustment import intrinsic
from vdiff_jax.stitching.calibration import Calibration

FOCAL, SIZE = 260.0, (320, 240)


def _rig(rolls, *, reference, yaw=25.0) -> Calibration:
    """Cameras side by side, each rolled by some degrees."""
    count = len(rolls)
    turns = [
        Rotation.from_euler("yz", [yaw * (n - (count - 1) / 2), roll], degrees=True).as_matrix()
        for n, roll in enumerate(rolls)
    ]
    inner = intrinsic(FOCAL, SIZE)
    homographies = np.stack([inner @ turns[reference].T @ turn @ np.linalg.inv(inner) for turn in turns])
    return Calibration(
        sizes=(SIZE,) * count, reference=reference, homographies=homographies[None], times=np.zeros(1), focal=FOCAL,
        turning=True, offsets=np.zeros(count), gains=np.ones((count, 3)), rms=0.0, pairs=(),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["planar", "cylindrical"])
@pytest.mark.parametrize("roll", [90, -90, 180])
def test_most_cameras_stand_on_their_feet_whatever_the_reference_does(kind, roll):
    rig = _rig([1, roll, -1], reference=1)
    canvas = projection.plan(rig, kind=kind)
    assert canvas.width > 1.5 * canvas.height
    ends = projection.to_surface(canvas, rig.homographies[0, 0], np.array([[0.0, 120], [319, 120]]))
    across, down = ends[1] - ends[0]
    assert across > 200
    assert abs(down) < 0.15 * across
    # The way there and the maps back agree.
    landed = projection.view(canvas, rig.homographies[0, 1], SIZE)
    middle = projection.to_surface(canvas, rig.homographies[0, 1], np.array([[100.0, 70.0]]))[0] - canvas.origin
    column, row = np.rint(middle).astype(int) - landed.box[:2]
    place = np.array([each[row, column] for each in landed.where])
    assert np.abs(place - [100, 70]).max() < 1.5


def test_the_surface_is_chosen_by_the_field_of_view():
    assert projection.plan(_rig([0, 0], reference=0, yaw=20.0)).kind == "planar"
    assert projection.plan(_rig([0, 0, 0], reference=1, yaw=35.0)).kind == "cylindrical"


def test_what_is_always_seen_is_the_same_for_few_and_for_many_moments():
    rig = _rig([2, -1], reference=0)
    canvas = projection.plan(rig, kind="planar")
    exact = projection.always_covered(canvas, rig)
    many = dataclasses.replace(rig, homographies=rig.homographies.repeat(30, axis=0), times=np.arange(30.0))
    coarse = projection.always_covered(canvas, many)
    assert not (coarse & ~exact).any()
    assert coarse.sum() > 0.93 * exact.sum()
