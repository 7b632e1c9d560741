"""Checkpoints of a training run, by Orbax: asynchronous, atomic, the newest two and the best kept."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from vdiff_jax.errors import CheckpointError

log = logging.getLogger(__name__)

SCORE = "psnr"
"""The metric, the higher the better, by which a checkpoint is the best."""


class Checkpoints:
    """The checkpoints of a workdir, in folders named by step: state, the data's state, and the configuration."""

    def __init__(self, workdir: Path, *, keep: int = 2):
        best = BestN(get_metric_fn=lambda metrics: metrics[SCORE], n=1, keep_checkpoints_without_metrics=False)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy([LatestN(keep), best]),
            create=True,
            enable_async_checkpointing=True,
        )
        names = ("state", "iterator", "config")
        self._manager = ocp.CheckpointManager(workdir.resolve() / "checkpoints", options=options, item_names=names)

    def steps(self) -> list[int]:
        """The steps that are there, oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, iterator: dict, config: dict, *, score: float | None = None) -> None:
        """Begins to write a checkpoint; returns before it is on disk. One that is there, unreadable, is replaced."""
        arguments = ocp.args.Composite(
            state=ocp.args.StandardSave(state), iterator=ocp.args.JsonSave(iterator), config=ocp.args.JsonSave(config)
        )
        if step in self.steps():
            self._manager.delete(step)
        self._manager.save(step, args=arguments, metrics=None if score is None else {SCORE: score}, force=True)

    def restore(self, like: Any) -> tuple[int, Any, dict]:
        """The newest readable checkpoint: step, state, iterator's state.

        Args:
          like: a state of the same structure and shapes.

        Raises:
          CheckpointError: none is there or none can be read.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        wanted = {"state": ocp.args.StandardRestore(abstract), "iterator": ocp.args.JsonRestore()}
        for step, found in self._readable(wanted):
            return step, found["state"], found["iterator"]
        raise CheckpointError("there is no readable checkpoint in this workdir: name another one")

    def config(self) -> dict | None:
        """The newest readable checkpoint's configuration."""
        return next((found["config"] for _, found in self._readable({"config": ocp.args.JsonRestore()})), None)

    def _readable(self, wanted: dict[str, Any]) -> Iterator[tuple[int, Any]]:
        """What can be read, newest first."""
        for step in reversed(self.steps()):
            try:
                found = self._manager.restore(step, args=ocp.args.Composite(**wanted))
            except (ValueError, OSError, KeyError, TypeError) as error:
                log.warning("checkpoint %d can't be read (%s): trying the one before", step, str(error).split("\n")[0])
                continue
            yield step, found

    def wait(self) -> None:
        """Until everything begun is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        self._manager.close()
