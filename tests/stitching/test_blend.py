import jax.numpy as jnp
import numpy as np

from vdiff_jax.stitching import blend

SHAPE = (2, 64, 128, 3)
REACH = 19.2  # as `compose` has it for pictures of this size, so that both share one compiled function
LABELS = np.where(np.arange(128) < 64, 0, 1)[None].repeat(64, axis=0)


def _corrections(pictures, seen):
    """The first corrections of two cameras with a vertical seam in the middle."""
    state = blend.initial_state(SHAPE)
    return np.asarray(blend.seam_corrections(pictures, seen, LABELS, state, jnp.float32(1.0), reach=REACH)[0])


def test_an_exposure_step_vanishes_at_the_seam_and_distant_cells_stay_unchanged():
    base = np.random.default_rng(0).uniform(0.3, 0.7, SHAPE[1:]).astype(np.float32)
    pictures = np.stack([base, base + 0.04])
    seen = np.zeros(SHAPE[:3], bool)
    seen[0, :, :80], seen[1, :, 48:] = True, True
    pictures *= seen[..., None]
    extra = _corrections(pictures, seen)
    step = (base[:, 63] + extra[0, :, 63]) - (base[:, 64] + 0.04 + extra[1, :, 64])
    plain = step - (base[:, 63] - base[:, 64])
    assert np.abs(plain).mean() < 0.01
    assert np.abs(extra[0, :, :20]).max() < 0.004
    # On both sides of the seam both cameras' corrections lead to the same picture.
    np.testing.assert_allclose(extra[0, :, 60:68] - extra[1, :, 60:68], 0.04, atol=0.006)
    # Corrections are enlarged afterwards, so they must not jump where a camera's picture ends.
    assert np.abs(np.diff(extra[1], axis=1))[:, 40:56].max() < 0.004


def test_a_thing_that_only_one_camera_sees_does_not_bleed():
    pictures = np.full(SHAPE, 0.5, np.float32)
    pictures[1, 20:40, 58:70] = 0.0
    assert np.abs(_corrections(pictures, np.ones(SHAPE[:3], bool))).max() < 0.02


def test_corrections_average_over_time():
    pictures = np.full(SHAPE, 0.5, np.float32)
    pictures[1] += 0.04
    seen = np.ones(SHAPE[:3], bool)
    settled = blend.initial_state(SHAPE)
    _, settled = blend.seam_corrections(pictures, seen, LABELS, settled, jnp.float32(1.0), reach=REACH)
    flash = pictures.copy()
    flash[1] += 0.04
    one, _ = blend.seam_corrections(flash, seen, LABELS, settled, jnp.float32(0.1), reach=REACH)
    before, _ = blend.seam_corrections(pictures, seen, LABELS, settled, jnp.float32(0.1), reach=REACH)
    at_seam = [float(np.asarray(each)[1, :, 64:68].mean()) for each in (before, one, _corrections(flash, seen))]
    # A change of one moment moves the correction a little, not all the way.
    assert abs(at_seam[1] - at_seam[0]) < 0.2 * abs(at_seam[2] - at_seam[0])


def test_diffusion_fill_continues_a_ramp_and_keeps_seen_pixels():
    ramp = np.linspace(0.2, 0.8, 486, dtype=np.float32)[None, None, :, None].repeat(220, 1).repeat(3, 3)
    mask = np.zeros((1, 220, 486, 1), np.float32)
    mask[:, 50:150, 140:280] = 1
    filled = blend.fill_by_diffusion(ramp * (1 - mask), mask)
    np.testing.assert_allclose(filled, ramp, atol=0.02)
    np.testing.assert_array_equal(filled[mask[..., 0] == 0], ramp[mask[..., 0] == 0])
