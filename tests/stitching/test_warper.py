import dataclasses

import cv2
import numpy as np

from vdiff_jax.stitching.canvas import plan_canvas
from vdiff_jax.stitching.warper import always_covered, coverage, largest_rectangle, warp_camera


def test_coverage_over_many_moments_is_a_tight_subset_of_the_exact_one(rotated_rig):
    rig = rotated_rig([2, -1], reference=0)
    canvas = plan_canvas(rig, kind="planar")
    exact = always_covered(canvas, rig)
    many = dataclasses.replace(rig, homographies=rig.homographies.repeat(30, axis=0), times=np.arange(30.0))
    coarse = always_covered(canvas, many)
    assert not (coarse & ~exact).any()
    assert coarse.sum() > 0.93 * exact.sum()


def test_a_pixel_must_be_covered_at_every_moment(rotated_rig):
    rig = rotated_rig([0, 0], reference=0)
    moved = np.stack([rig.homographies[0], rig.homographies[0]])
    moved[1, :, 1, 2] += 30.0 * moved[1, :, 2, 2]
    rig = dataclasses.replace(rig, homographies=moved, times=np.array([0.0, 1.0]))
    canvas = plan_canvas(rig, kind="planar")
    both = [
        always_covered(canvas, dataclasses.replace(rig, homographies=moved[[k]], times=np.zeros(1))) for k in (0, 1)
    ]
    np.testing.assert_array_equal(always_covered(canvas, rig), both[0] & both[1])
    assert (both[0] != both[1]).any()


def test_the_warp_of_the_reference_is_a_shift_that_the_maps_agree_with(rotated_rig):
    rig = rotated_rig([1, 0], reference=1)
    canvas = plan_canvas(rig, kind="planar")
    warp = warp_camera(canvas, rig.homographies[0, 1], rig.sizes[1])
    other = warp_camera(canvas, rig.homographies[0, 0], rig.sizes[0])
    assert other.shift is None
    frame = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    mapped = cv2.remap(frame, *warp.maps, cv2.INTER_LINEAR)
    rows, columns = np.nonzero(warp.seen)
    np.testing.assert_array_equal(mapped[rows, columns], frame[rows + warp.shift[0], columns + warp.shift[1]])
    seen = coverage(canvas, [other, warp])
    assert seen[1].sum() == 240 * 320
    assert (seen[0] & seen[1]).any()


def test_the_largest_rectangle_is_the_largest_of_all():
    rng = np.random.default_rng(0)
    for _ in range(5):
        covered = rng.random((7, 9)) < 0.8
        left, top, right, bottom = largest_rectangle(covered)
        assert covered[top:bottom, left:right].all()
        assert (right - left) % 2 == (bottom - top) % 2 == 0
        areas = {
            (x1 - x0) * (y1 - y0): (x1 - x0, y1 - y0)
            for y0 in range(7) for y1 in range(y0 + 1, 8) for x0 in range(9) for x1 in range(x0 + 1, 10)
            if covered[y0:y1, x0:x1].all()
        }  # fmt: skip
        width, height = areas[max(areas)]
        assert (right - left) * (bottom - top) >= (width - width % 2) * (height - height % 2)
