"""Masks of holes: 0 or 1, the shares and movements they promise, another set for each key."""

import functools

import jax
import numpy as np
import pytest

from vdiff_jax.corruption import holes

SHAPE = (4, 48, 64)
KINDS = {
    "logo": holes.logo,
    "moving": holes.moving,
    "scratches": holes.scratches,
    "drop_outs": functools.partial(holes.drop_outs, share=0.1),
    "blotches": functools.partial(holes.blotches, share=0.1),
}


@pytest.fixture(scope="module")
def masks():
    """Each kind for four keys: `4 t h w 1`."""
    keys = jax.random.split(jax.random.key(0), 4)
    compiled = {name: jax.jit(kind, static_argnums=1) for name, kind in KINDS.items()}
    return {name: np.stack([kind(key, SHAPE) for key in keys]) for name, kind in compiled.items()}


@pytest.mark.parametrize("name", KINDS)
def test_a_mask_is_zero_or_one_and_hides_some_of_some_frames(masks, name):
    mask = masks[name]
    assert mask.shape == (4, *SHAPE, 1)
    assert set(np.unique(mask)) == {0, 1}
    assert (mask[0] != mask[1]).any()


def test_a_logo_stands_still_and_others_do_not(masks):
    np.testing.assert_array_equal(masks["logo"][:, 0], masks["logo"][:, -1])
    for name in ("moving", "drop_outs", "blotches", "scratches"):
        assert (masks[name][:, 0] != masks[name][:, -1]).any(), name


def test_drop_outs_and_blotches_cover_their_share(masks):
    assert masks["drop_outs"].mean() == pytest.approx(0.1, abs=0.01)
    assert masks["blotches"].mean() == pytest.approx(0.1, abs=0.04)


def test_scratches_are_narrow_and_run_from_top_to_bottom(masks):
    mask = masks["scratches"][..., 0]
    assert (mask.sum(axis=-1) <= 4 * 4).all()
    frames = mask.reshape(-1, 48, 64)
    hit = frames[frames.any(axis=(1, 2))]
    assert len(hit)
    assert (hit.any(axis=2).mean(axis=1) > 0.9).mean() > 0.8
