"""Interpolate: makes frames at new times. The video's own frames are known, those between them unknown."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.noise import correlated, quantise
from vdiff_jax.errors import OptionError
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import SameSize, observe
from vdiff_jax.tasks.task import Task
from vdiff_jax.weights import for_task

_NOISY = 0.6
"""The share of training clips with noise although the observation's sigma is 0: most footage has some noise."""
_STRONGEST = 5 / 255


def plan(request: Request) -> Plan:
    """Plans to make frames at new times; the video's own frames stay as they are.

    Raises:
      OptionError: neither fps nor slow, both, or one that is out of range.
    """
    rate, seconds = _rate(request)
    return Plan(
        tasks=("interpolate",),
        weights=for_task(request.weights, "interpolate"),
        why="new frames are made between the video's own, which stay as they are",
        conversion=SameSize(request.pixels, request.shape),
        grow=request.grow,
        interval=seconds / request.time_base,
        rate=rate,
    )


def _rate(request: Request) -> tuple[Fraction, Fraction]:
    """The output's frames per second, and the seconds of input from one output frame to the next."""
    if (request.fps is None) == (request.slow is None):
        raise OptionError("interpolate needs either --fps, the rate to reach, or --slow, how many times slower to play")
    if request.slow is not None:
        if request.slow <= 1:
            raise OptionError(
                f"slow {float(request.slow):g} is out of range: pass how many times slower to play, above 1"
            )
        return request.rate, 1 / (request.rate * Fraction(request.slow).limit_denominator(1001))
    rate = Fraction(request.fps).limit_denominator(1001)
    if not request.rate <= rate <= 1000:
        raise OptionError(
            f"fps {float(request.fps):g} is out of range: pass one from the video's {float(request.rate):.6g} to 1000"
        )
    return rate, 1 / rate


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Hides every second frame. Some clips have noise, whose variance the mean of two neighbours halves."""
    noise_key, width_key, sigma_key, noisy_key = jax.random.split(key, 4)
    sigma = _STRONGEST * jax.random.uniform(sigma_key) * jax.random.bernoulli(noisy_key, _NOISY)
    noise = correlated(noise_key, clip.shape, jax.random.uniform(width_key, minval=0.3, maxval=1.0))
    noisy = rgb_to_ycbcr(quantise(clip + sigma * noise))
    exists = (np.arange(clip.shape[0]) % 2 == 0).astype(np.float32).reshape(-1, 1, 1, 1)
    return observe(noisy, jnp.zeros(3), known=jnp.asarray(exists))


TASK = Task(name="interpolate", plan=plan, options=frozenset({"fps", "slow"}), corrupt=corrupt)
