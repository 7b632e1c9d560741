"""What a task is to the core: how its observation is made from a clean clip, and what its result is projected onto."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.diffusion.step import Project, impose
from vdiff_jax.observation import Observation

Corrupt = Callable[[PRNGKeyArray, Float[Array, "t h w 3"]], Observation]
CorruptOnHost = Callable[[np.random.Generator, Float[np.ndarray, "t h w 3"]], Observation]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One job of the network.

    Attributes:
      name: as on the command line.
      corrupt: makes the observation that trains the task from a clean R'G'B' clip in [0, 1]; pure, to be compiled.
      corrupt_on_host: the same through a video codec, so that chroma is 4:2:0 already; not to be compiled.
      share_on_host: the share of the examples that go that way, 0 to 1.
      project: brings a guess back to what was measured.
    """

    name: str
    corrupt: Corrupt | None = None
    corrupt_on_host: CorruptOnHost | None = None
    share_on_host: float = 0.0
    project: Project = impose
