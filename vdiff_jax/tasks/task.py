"""What a task is to the core: how its observation is made from a clean clip."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.storage import subsampled, subsampled_observation
from vdiff_jax.observation import Observation

Clip = Float[Array, "t h w 3"]
Stored = tuple[Observation, Clip]
Corrupt = Callable[[PRNGKeyArray, Clip], Observation]
CorruptOnHost = Callable[[np.random.Generator, Float[np.ndarray, "t h w 3"]], Observation]


def as_420(observation: Observation, truth: Clip) -> Stored:
    """An observation, and the clip that it is of, as they are where chroma is stored as 4:2:0."""
    return subsampled_observation(observation), subsampled(truth)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One job of the network.

    Attributes:
      name: as on the command line.
      corrupt: makes the observation that trains the task from a clean R'G'B' clip in [0, 1]; pure, to be compiled.
      corrupt_on_host: the same through a video codec, so that chroma is 4:2:0 already; not to be compiled.
      share_on_host: the share of the examples that go that way, 0 to 1.
      margin: pixels on each side of an example that the codec sees too, and that are cut off after it.
      stored: what becomes of an observation and its truth (Y'CbCr) where chroma is stored as 4:2:0.
    """

    name: str
    corrupt: Corrupt | None = None
    corrupt_on_host: CorruptOnHost | None = None
    share_on_host: float = 0.0
    margin: int = 0
    stored: Callable[[Observation, Clip], Stored] = as_420
