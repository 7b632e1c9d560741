import jax.numpy as jnp
import numpy as np

from vdiff_jax.stitching.canvas import plan_canvas
from vdiff_jax.stitching.mosaic import Mosaic
from vdiff_jax.stitching.warper import coverage, warp_camera


def _mosaic(rig, soft):
    """Shares that change from camera 1 to camera 2 in the middle of the canvas, over `soft` columns."""
    canvas = plan_canvas(rig, kind="planar")
    warps = [warp_camera(canvas, each, size) for each, size in zip(rig.homographies[0], rig.sizes)]
    seen = coverage(canvas, warps)
    middle = np.flatnonzero(seen.all(axis=0).any(axis=0)).mean()
    second = np.clip((np.arange(canvas.width) - middle) / soft + 0.5, 0, 1) * np.ones((canvas.height, 1))
    shares = np.stack([1 - second, second]) * seen
    return Mosaic(warps, shares / np.maximum(shares.sum(axis=0), 1e-9)), seen, shares


def test_each_camera_draws_its_share_and_the_ramp_mixes_them(rotated_rig):
    mosaic, seen, shares = _mosaic(rotated_rig([0, 1], reference=0), 6.0)
    frames = [np.full((240, 320, 3), value, np.uint8) for value in (40, 140)]
    picture = mosaic(frames, [None, None], None, 8)[..., 0].astype(float)
    expected = (40 * shares[0] + 140 * shares[1]) / np.maximum(shares.sum(axis=0), 1e-9)
    covered = seen.any(axis=0)
    assert np.abs(picture - expected)[covered].max() <= 1.0
    assert (picture[~covered] == 0).all()
    alone = mosaic([None, frames[1]], [None, None], None, 8)
    assert (alone[seen[0] & ~seen[1]] == 0).all()


def test_corrections_and_tables_apply_to_their_own_camera(rotated_rig):
    mosaic, seen, shares = _mosaic(rotated_rig([0, 1], reference=0), 6.0)
    frames = [np.full((240, 320, 3), value, np.uint8) for value in (40, 140)]
    cells = tuple(-(-size // 8) for size in seen.shape[1:])
    correction = np.stack([np.full((*cells, 3), 10.0, np.float32), np.zeros((*cells, 3), np.float32)])
    table = np.arange(256, dtype=np.uint8)[None, ::-1, None].repeat(3, 2)
    picture = mosaic(frames, [None, table], jnp.asarray(correction), 8)
    assert (picture[shares[0] == 1] == 50).all()
    assert (picture[shares[1] == 1] == 255 - 140).all()
