"""What defines a task: how it is planned for a video, and how its training examples are made from clean clips."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.storage import subsampled, subsampled_observation
from vdiff_jax.observation import Observation
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request

Clip = Float[Array, "t h w 3"]
Stored = tuple[Observation, Clip]
Corrupt = Callable[[PRNGKeyArray, Clip], Observation]
CorruptOnHost = Callable[[np.random.Generator, Float[np.ndarray, "t h w 3"]], Observation]


def as_420(observation: Observation, truth: Clip) -> Stored:
    """An observation and its ground truth with chroma subsampled to 4:2:0."""
    return subsampled_observation(observation), subsampled(truth)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One task of `repair`.

    Attributes:
      name: as on the command line.
      plan: decides the expected error, the weights and the finishing steps for one video, and says why.
      options: the fields of a request that this task alone takes.
      corrupt: makes the observation that trains the task from a clean R'G'B' clip in [0, 1]; pure and compiled.
      corrupt_on_host: the same by a video codec, so that chroma is 4:2:0 already; not compiled.
      share_on_host: the share of the examples that are made by `corrupt_on_host`, 0 to 1.
      margin: pixels on each side of an example that the codec sees too, and that are cut off after it.
      stored: subsamples the chroma of an observation and its ground truth (Y'CbCr) to 4:2:0.
    """

    name: str
    plan: Callable[[Request], Plan]
    options: frozenset[str] = frozenset()
    corrupt: Corrupt | None = None
    corrupt_on_host: CorruptOnHost | None = None
    share_on_host: float = 0.0
    margin: int = 0
    stored: Callable[[Observation, Clip], Stored] = as_420

    @property
    def trained(self) -> bool:
        """Whether a network is trained for it."""
        return self.corrupt is not None or self.corrupt_on_host is not None
