"""What a task is to the core: how its observation is made from a clean clip, and what its result is projected onto."""

import dataclasses
from collections.abc import Callable

from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.diffusion.step import Project, impose
from vdiff_jax.observation import Observation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """One job of the network.

    Attributes:
      name: as on the command line.
      corrupt: makes the observation that trains the task from a clean R'G'B' clip in [0, 1].
      project: brings a guess back to what was measured.
    """

    name: str
    corrupt: Callable[[PRNGKeyArray, Float[Array, "t h w 3"]], Observation]
    project: Project = impose
