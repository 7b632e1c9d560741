"""Checkpoints of a training run, by Orbax: asynchronous, atomic, the newest few kept."""

import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from vdiff_jax.errors import CheckpointError

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of a workdir, in folders named by step: state, the data's state, and the configuration."""

    def __init__(self, workdir: Path, *, keep: int = 2):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=True)
        names = ("state", "iterator", "config")
        self._manager = ocp.CheckpointManager(workdir.resolve() / "checkpoints", options=options, item_names=names)

    def steps(self) -> list[int]:
        """The steps that are there, oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, iterator: dict, config: dict) -> None:
        """Begins to write a checkpoint; returns before it is on disk."""
        arguments = ocp.args.Composite(
            state=ocp.args.StandardSave(state), iterator=ocp.args.JsonSave(iterator), config=ocp.args.JsonSave(config)
        )
        self._manager.save(step, args=arguments)

    def restore(self, like: Any) -> tuple[int, Any, dict, dict]:
        """The newest readable checkpoint: step, state, iterator's state, configuration.

        Args:
          like: a state of the same structure and shapes.

        Raises:
          CheckpointError: none is there or none can be read.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        arguments = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract), iterator=ocp.args.JsonRestore(), config=ocp.args.JsonRestore()
        )
        for step in reversed(self.steps()):
            try:
                found = self._manager.restore(step, args=arguments)
            except (ValueError, OSError, KeyError, TypeError) as error:
                log.warning("checkpoint %d can't be read (%s): trying the one before", step, str(error).split("\n")[0])
                continue
            return step, found["state"], found["iterator"], found["config"]
        raise CheckpointError("there is no readable checkpoint in this workdir: start without --resume")

    def wait(self) -> None:
        """Until everything begun is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        self._manager.close()
