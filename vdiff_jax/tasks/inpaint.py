"""Inpaint: fills the holes of a mask. Samples outside it are known, exactly or with an expected error."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption import holes
from vdiff_jax.corruption.noise import gaussian, quantise
from vdiff_jax.errors import MaskError
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import noise_in_ycbcr, rgb_to_ycbcr
from vdiff_jax.preprocess.grids import average, repeat
from vdiff_jax.preprocess.planes import CHROMA_ERROR
from vdiff_jax.preprocess.small_holes import fill_small_holes, small_holes
from vdiff_jax.tasks.denoise import FINISH
from vdiff_jax.tasks.plan import NO_ERROR, Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import given_or_measured_sigma, observe, plan_of
from vdiff_jax.tasks.task import Task

PROPAGATED = 0.5
"""The share of training clips whose wide holes are filled first, as propagation from other frames does."""
_WRONG = 0.2
"""The share of those that are filled from a wrong place, 5 to 32 pixels away."""
_ERRORS = (0.003, 0.2)
"""The range of the expected error of propagated samples, in [0, 1]."""


def plan(request: Request) -> Plan:
    """Plans to fill the holes of a mask; the rest is denoised only if a sigma was given.

    Raises:
      MaskError: there is no mask.
    """
    if not request.masked:
        raise MaskError(
            "inpaint needs to know what to repair: pass --mask with a picture or a video that is white there"
        )
    if request.sigma is not None:
        return plan_of(request, "denoise", *given_or_measured_sigma(request), finish=FINISH)
    return plan_of(request, "denoise", NO_ERROR, "only the holes change")


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Masks a still logo, a moving figure, scratches, dirt or drop-outs; one clip in three has noise as well.

    Small holes are filled, as in restoration; wide ones in half of the clips, as by propagation. The observation has
    the fill's expected error.
    """
    kind_key, mask_key, share_key, sigma_key, noisy_key, noise_key, propagated_key, way_key = jax.random.split(key, 8)
    shape = clip.shape[:3]
    share = jax.random.uniform(share_key, minval=0.05, maxval=0.5)
    makers = [
        lambda k: holes.logo(k, shape),
        lambda k: holes.moving(k, shape),
        lambda k: holes.scratches(k, shape),
        lambda k: jnp.maximum(holes.blotches(k, shape), holes.scratches(k, shape, lines=2)),
        lambda k: holes.drop_outs(k, shape, share),
    ]
    mask = jax.lax.switch(jax.random.randint(kind_key, (), 0, len(makers)), makers, mask_key)
    sigma = 30 / 255 * jax.random.uniform(sigma_key) * jax.random.bernoulli(noisy_key, 0.33)
    noisy = rgb_to_ycbcr(quantise(jax.lax.cond(sigma > 0, lambda: gaussian(noise_key, clip, sigma), lambda: clip)))
    observation, truth = observe(noisy, sigma * noise_in_ycbcr(1.0), known=1 - mask), rgb_to_ycbcr(clip)
    small = small_holes(mask)
    observation = jax.lax.cond(
        jnp.any(small > 0),
        lambda: _with_small_holes_filled(jax.random.fold_in(key, 8), observation, truth, noisy, mask, small),
        lambda: observation,
    )
    return jax.lax.cond(
        jax.random.bernoulli(way_key, PROPAGATED),
        lambda: _propagated(propagated_key, observation, truth, noisy, mask - small),
        lambda: observation,
    )


def _with_small_holes_filled(
    key: PRNGKeyArray, observation: Observation, truth: Array, noisy: Array, mask: Array, small: Array
) -> Observation:
    """Fills small holes as restoration does; its neighbouring frames are the clip, shifted by 0.05 to 2 pixels.

    Each neighbour has the noise of another frame.
    """
    neighbours = []
    for number in (1, 2):
        length_key, angle_key = jax.random.split(jax.random.fold_in(key, number))
        length = 0.05 * 40 ** jax.random.uniform(length_key)
        neighbours.append(_shifted(truth, length, angle_key) + jnp.roll(noisy - truth, number, 0))
    planes, others = jnp.moveaxis(noisy, -1, 1), jnp.moveaxis(jnp.stack(neighbours, 1), -1, 2)
    known = 1 - mask[..., 0]
    luma, error = fill_small_holes(planes[:, :1], known, others[:, :, :1])
    chroma, _ = fill_small_holes(planes[:, 1:], known, others[:, :, 1:])
    filled = jnp.moveaxis(jnp.concatenate([luma, chroma], axis=1), 1, -1)
    errors = error[..., None] * jnp.array([1.0, CHROMA_ERROR, CHROMA_ERROR]).reshape(1, 1, 1, 3)
    return dataclasses.replace(
        observation,
        values=observation.values + small * filled,
        known=observation.known + small,
        sigma=jnp.sqrt(observation.sigma**2 + small * errors**2),
    )


def _propagated(key: PRNGKeyArray, observation: Observation, truth: Array, noisy: Array, mask: Array) -> Observation:
    """Fills the mask with the clip shifted by 0.3 to 2 pixels, or 16 times as far; sigma is about its true error."""
    far_key, length_key, angle_key, error_key = jax.random.split(key, 4)
    far = jax.random.bernoulli(far_key, _WRONG)
    length = jnp.where(far, 16.0, 1.0) * jax.random.uniform(length_key, minval=0.3, maxval=2.0)
    guess = _shifted(noisy, length, angle_key)
    error = jnp.sqrt(repeat(average((guess - truth) ** 2, 8), 8))
    error = error * jnp.exp(0.5 * jax.random.normal(error_key, (truth.shape[0], 1, 1, 1)))
    return dataclasses.replace(
        observation,
        values=observation.values + mask * guess,
        known=jnp.ones_like(observation.known),
        sigma=jnp.where(mask > 0, jnp.clip(error, *_ERRORS), observation.sigma),
    )


def _shifted(clip: Float[Array, "t h w c"], length: Array, key: PRNGKeyArray) -> Float[Array, "t h w c"]:
    """The clip shifted by a number of pixels in a random direction."""
    angle = jax.random.uniform(key, maxval=2 * jnp.pi)
    return _moved(_moved(clip, length * jnp.cos(angle), 1), length * jnp.sin(angle), 2)


def _moved(clip: Float[Array, "t h w c"], by: Array, axis: int) -> Float[Array, "t h w c"]:
    """The clip shifted along an axis by a fractional number of pixels; it wraps around at the edges."""
    whole = jnp.floor(by).astype(int)
    return jnp.roll(clip, whole, axis) + (by - whole) * (jnp.roll(clip, whole + 1, axis) - jnp.roll(clip, whole, axis))


TASK = Task(name="inpaint", plan=plan, corrupt=corrupt)
