"""Superres ×4 alone: trains the network of the size superres4, whose finest level is the small picture."""

import dataclasses
from functools import partial

from vdiff_jax.tasks import superres

TASK = dataclasses.replace(
    superres.TASK,
    name="superres4",
    corrupt=partial(superres.corrupt, factors=(4,)),
    corrupt_on_host=None,
    share_on_host=0.0,
)
