import numpy as np

from vdiff_jax.stitching.canvas import plan_canvas
from vdiff_jax.stitching.reduced_canvas import ReducedCanvas, reduced_canvases


def test_cells_average_the_pixels_that_a_camera_sees(rotated_rig):
    """The reference camera is only shifted, so that its cells are means of blocks of its pixels."""
    rig = rotated_rig([0, 0], reference=0)
    canvas = plan_canvas(rig, kind="planar")
    reduced = ReducedCanvas(canvas, rig.homographies[0], rig.sizes, 4)
    assert all(cells % 32 == 0 for cells in reduced.grid)
    ramp = np.linspace(20, 220, 320)[None, :, None] + np.zeros((240, 320, 3))
    frame = np.rint(ramp).astype(np.uint8)
    pictures = reduced([frame, None])
    assert pictures.shape == (2, *reduced.grid, 3)
    assert (pictures[1] == 0).all()
    np.testing.assert_array_equal(pictures[0], reduced.one_camera(0, frame))
    inner = reduced.seen[0].copy()
    inner[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    columns = np.arange(reduced.grid[1]) * 4 + 1.5 + canvas.origin[0]
    expected = np.broadcast_to(20 + 200 * columns / 319, reduced.grid)
    assert np.abs(pictures[0, ..., 0] - expected)[inner].max() < 1.5


def test_gains_are_applied_by_table(rotated_rig):
    rig = rotated_rig([0, 0], reference=0)
    canvas = plan_canvas(rig, kind="planar")
    table = np.minimum(np.arange(256) * 2, 255).astype(np.uint8)[None, :, None].repeat(3, 2)
    reduced = ReducedCanvas(canvas, rig.homographies[0], rig.sizes, 4, [table, None])
    frame = np.full((240, 320, 3), 50, np.uint8)
    pictures = reduced([frame, frame])
    assert set(np.unique(pictures[0])) == {0, 100}
    assert set(np.unique(pictures[1])) == {0, 50}


def test_a_rig_with_one_geometry_has_one_reduced_canvas(rotated_rig):
    canvas_at = reduced_canvases(rotated_rig([0, 0], reference=0), 6000)
    assert canvas_at(0.0) is canvas_at(3.0)
    assert 3000 < canvas_at(0.0).seen.any(axis=0).sum() < 6000
