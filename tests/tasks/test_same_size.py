"""What tasks of the input's size share: the observation, and the plan for holes and what is around them."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.tasks.denoise import FINISH
from vdiff_jax.tasks.finish import wiener
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import CLEAN, STRONGEST, observe, plan_of

GREY = PixelFormat(kind="gray", full_range=True)
FRAMES = [Frame((np.zeros((8, 16), np.uint8),), 0)]


def plan(sigma, **keywords):
    of_plan = {key: keywords.pop(key) for key in ("finish", "least", "codec") if key in keywords}
    request = Request(frames=FRAMES, pixels=GREY, **keywords)
    return plan_of(request, "denoise", np.array([sigma, 0, 0], np.float32), "because", **of_plan)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 8, 3)])
def test_sigma_is_of_the_clip_of_each_frame_or_of_each_sample(shape):
    sigma = jnp.asarray(np.random.default_rng(0).random(shape), jnp.float32)
    observation = observe(jnp.ones((2, 4, 8, 3)), sigma)
    full = sigma if len(shape) == 4 else sigma.reshape(-1, 1, 1, 3)
    np.testing.assert_array_equal(observation.sigma, np.broadcast_to(full, (2, 4, 8, 3)))
    np.testing.assert_array_equal(observation.time, [0, 1])


def test_what_is_unknown_has_no_value():
    known = jnp.zeros((2, 4, 8, 1)).at[0].set(1.0)
    observation = observe(jnp.ones((2, 4, 8, 3)), jnp.zeros(3), known=known)
    np.testing.assert_array_equal(observation.values, observation.known)
    assert observation.known[0].min() == 1
    assert observation.known[1].max() == 0


def test_an_error_that_cannot_be_told_from_texture_is_left_alone_where_that_is_asked():
    assert plan(0.9 * CLEAN, least=CLEAN).tasks == ()
    assert plan(0.9 * CLEAN).tasks == ("denoise",)


def test_sigma_is_limited_to_what_is_trained_for():
    assert plan(2 * STRONGEST).sigma[0] == pytest.approx(STRONGEST)


def test_a_mask_adds_inpainting_and_leaves_out_the_wiener_step():
    assert plan(0.1, finish=FINISH).finish == FINISH
    masked = plan(0.1, finish=FINISH, masked=True)
    assert masked.tasks == ("inpaint", "denoise")
    assert masked.finish == tuple(step for step in FINISH if step is not wiener)
    assert not masked.holes_only


def test_a_mask_alone_changes_only_holes():
    masked = plan(0, finish=FINISH, masked=True, grow=2)
    assert (masked.tasks, masked.finish, masked.grow, masked.holes_only) == (("inpaint",), (), 2, True)
