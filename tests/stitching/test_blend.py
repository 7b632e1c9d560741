import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

from vdiff_jax.postprocess import exposure
from vdiff_jax.stitching import blend, seam


def _reference(weight, source):
    def line(count):
        middle = np.full(count, 2.0)
        middle[[0, -1]] = 1
        return sparse.diags_array([middle, -np.ones(count - 1), -np.ones(count - 1)], offsets=[0, 1, -1])

    height, width = weight.shape
    laplacian = sparse.kron(sparse.eye_array(height), line(width)) + sparse.kron(line(height), sparse.eye_array(width))
    return spsolve((laplacian + sparse.diags_array(weight.ravel())).tocsc(), source.ravel()).reshape(weight.shape)


@pytest.mark.parametrize("kind", ["screened", "scattered"])
def test_multigrid_solves_what_a_direct_solver_does(kind):
    rng = np.random.default_rng(0)
    weight = np.full((48, 72), 1e-3) if kind == "screened" else (rng.random((48, 72)) < 0.05) * 1.0
    source = rng.normal(size=(48, 72)) * (1 if kind == "screened" else weight)
    expected = _reference(weight, source)
    found = jax.jit(lambda w, s: blend.solve(w, s, cycles=12))(
        jnp.float32(weight[..., None]), jnp.float32(source[..., None])
    )
    assert np.abs(found[..., 0] - expected).max() < 0.01 * np.abs(expected).max()


def test_an_exposure_step_is_gone_at_the_seam_and_what_lies_far_stays():
    base = np.random.default_rng(0).uniform(0.3, 0.7, (64, 128, 3)).astype(np.float32)
    pictures = np.stack([base, base + 0.04])
    seen = np.zeros((2, 64, 128), bool)
    seen[0, :, :80], seen[1, :, 48:] = True, True
    pictures *= seen[..., None]
    labels = np.where(np.arange(128) < 64, 0, 1)[None].repeat(64, axis=0)
    memory = (jnp.zeros((2, 64, 128, 3)), jnp.zeros((2, 64, 128, 1)))
    extra, _ = blend.corrections(pictures, seen, labels, memory, jnp.float32(1.0), reach=8.0)
    extra = np.asarray(extra)
    step = (base[:, 63] + extra[0, :, 63]) - (base[:, 64] + 0.04 + extra[1, :, 64])
    plain = step - (base[:, 63] - base[:, 64])
    assert np.abs(plain).mean() < 0.01
    assert np.abs(extra[0, :, :20]).max() < 0.004
    # Across the seam both cameras' corrections lead to the same picture.
    np.testing.assert_allclose(extra[0, :, 60:68] - extra[1, :, 60:68], 0.04, atol=0.006)
    # It is enlarged afterwards: no camera's correction may jump where its picture ends.
    assert np.abs(np.diff(extra[1], axis=1))[:, 40:56].max() < 0.004


def test_what_only_one_camera_sees_does_not_bleed():
    base = np.full((64, 128, 3), 0.5, np.float32)
    pictures = np.stack([base, base])
    pictures[1, 20:40, 58:70] = 0.0
    seen = np.ones((2, 64, 128), bool)
    labels = np.where(np.arange(128) < 64, 0, 1)[None].repeat(64, axis=0)
    memory = (jnp.zeros((2, 64, 128, 3)), jnp.zeros((2, 64, 128, 1)))
    extra, _ = blend.corrections(pictures, seen, labels, memory, jnp.float32(1.0), reach=8.0)
    assert np.abs(extra).max() < 0.02


def test_diffusion_fill_continues_a_ramp_and_leaves_what_was_seen():
    ramp = np.linspace(0.2, 0.8, 70, dtype=np.float32)[None, None, :, None].repeat(45, 1).repeat(3, 3)
    mask = np.zeros((1, 45, 70, 1), np.float32)
    mask[:, 10:30, 20:40] = 1
    filled = blend.diffuse(ramp * (1 - mask), mask)
    np.testing.assert_allclose(filled, ramp, atol=0.02)
    np.testing.assert_array_equal(filled[mask[..., 0] == 0], ramp[mask[..., 0] == 0])


def test_gains_are_found_in_spite_of_clipping_and_movers():
    rng = np.random.default_rng(0)
    base = rng.uniform(20, 300, (3, 40, 90, 3))
    gains = np.array([[1, 1, 1], [0.8, 0.9, 1.1], [1.2, 1.0, 0.7]])
    pictures = np.clip(base[:, None] * gains[None, :, None, None], 0, 255)
    pictures[:, 1, 5:15, 20:30] = 60
    seen = np.zeros((3, 40, 90), bool)
    seen[0, :, :40], seen[1, :, 20:70], seen[2, :, 50:] = True, True, True
    found = exposure.gains(pictures, seen, [(0, 1), (1, 2)])
    np.testing.assert_allclose(1 / found, gains, rtol=0.005)
    np.testing.assert_array_equal(found[0], 1.0)


def test_highlights_that_a_gain_would_burn_out_are_held_back():
    frame = np.tile(np.linspace(0, 230, 256).astype(np.uint8)[None, :, None], (32, 1, 3))
    held = exposure.table(np.array([1.5, 1.5, 1.0]), [frame])[0]
    exact = np.rint(np.arange(256)[:, None] * [1.5, 1.5, 1.0])
    np.testing.assert_array_equal(held[:119], exact[:119])
    np.testing.assert_array_equal(held[:, 2], exact[:, 2])
    assert held[170, 0] < held[200, 0] < held[229, 0]
    assert (np.diff(held.astype(int), axis=0) >= 0).all()
    plain = exposure.table(np.array([1.5, 1.5, 1.0]), [frame // 2])[0]
    np.testing.assert_array_equal(plain, exact.clip(0, 255))


def _overlapping():
    picture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (64, 128, 3)), (0, 0), 2)
    seen = np.zeros((2, 64, 128), bool)
    seen[0, :, :90], seen[1, :, 40:] = True, True
    return np.stack([picture, picture]) * seen[..., None], seen


def test_the_seam_goes_around_a_mover_and_stays_otherwise():
    pictures, seen = _overlapping()
    nothing = np.zeros((64, 128), bool)
    still = seam.place(pictures, seen, nothing, [0, 1])
    assert set(np.unique(still)) == {0, 1}
    assert (still[:, :40] == 0).all()
    assert (still[:, 90:] == 1).all()
    mover = nothing.copy()
    mover[:, 55:72] = True
    mover[:, 84:] = False
    assert seam.crossing(still, mover) > 0
    moved = seam.place(pictures, seen, mover, [0, 1], still)
    assert seam.crossing(moved, mover) == 0
    np.testing.assert_array_equal(seam.place(pictures, seen, nothing, [0, 1], moved), moved)


def test_a_camera_that_joins_from_below_gets_its_own_part():
    pictures, _ = _overlapping()
    seen = np.zeros((2, 64, 128), bool)
    seen[0, :40], seen[1, 20:] = True, True
    labels = seam.place(pictures, seen, np.zeros((64, 128), bool), [0, 1])
    assert (labels[:20] == 0).all()
    assert (labels[40:] == 1).all()
