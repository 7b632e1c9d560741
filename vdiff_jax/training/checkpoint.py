"""Checkpoints of a training run, by Orbax: asynchronous and atomic; the newest two and the best are kept."""

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
"""The metric that ranks checkpoints; higher is better."""


class Checkpoints:
    """The checkpoints of a workdir, in folders named by step: training state, data iterator's state, configuration."""

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
        """The steps that have a checkpoint, oldest first."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, iterator: dict, config: dict, *, score: float | None = None) -> None:
        """Starts to write a checkpoint and returns before it is on disk. It replaces an older one of the same step."""
        arguments = ocp.args.Composite(
            state=ocp.args.StandardSave(state), iterator=ocp.args.JsonSave(iterator), config=ocp.args.JsonSave(config)
        )
        if step in self.steps():
            self._manager.delete(step)
        self._manager.save(step, args=arguments, metrics=None if score is None else {SCORE: score}, force=True)

    def restore(self, like: Any) -> tuple[int, Any, dict]:
        """The newest readable checkpoint: its step, training state and iterator's state.

        Args:
          like: a training state of the same structure and shapes.

        Raises:
          CheckpointError: the workdir has no checkpoint that can be read.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        tree = ocp.tree.serialize_tree(abstract, keep_empty_nodes=True)
        # Earlier versions saved no means, and before that gave layers another name.
        earlier = {name: part for name, part in tree.items() if name != "means"}
        trees = (tree, earlier, _renamed(earlier, "enlarge", "spread"))
        items = [{"state": ocp.args.StandardRestore(each), "iterator": ocp.args.JsonRestore()} for each in trees]
        for step, found in self._readable(*items):
            saved = _renamed(found["state"], "spread", "enlarge")
            state = ocp.tree.deserialize_tree(ocp.tree.serialize_tree(like, keep_empty_nodes=True) | saved, target=like)
            return step, state, found["iterator"]
        raise CheckpointError("no readable checkpoint in this workdir: pass another --workdir")

    def config(self) -> dict | None:
        """The configuration in the newest readable checkpoint; `None` if there is none."""
        return next((found["config"] for _, found in self._readable({"config": ocp.args.JsonRestore()})), None)

    def _readable(self, *alternatives: dict[str, Any]) -> Iterator[tuple[int, Any]]:
        """The steps and items of the checkpoints that can be read, newest first; of each, the first that fit."""
        for step in reversed(self.steps()):
            reason = ""
            for items in alternatives:
                try:
                    yield step, self._manager.restore(step, args=ocp.args.Composite(**items))
                    break
                except (ValueError, OSError, KeyError, TypeError) as error:
                    reason = reason or str(error).split("\n")[0]
            else:
                log.warning("checkpoint %d cannot be read (%s): trying the one before", step, reason)

    def wait(self) -> None:
        """Waits until every checkpoint is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until every checkpoint is on disk, and ends Orbax's threads."""
        self._manager.close()


def _renamed(tree: Any, old: str, new: str) -> Any:
    """A tree of dictionaries and lists with one name replaced."""
    if isinstance(tree, dict):
        return {new if name == old else name: _renamed(part, old, new) for name, part in tree.items()}
    return [_renamed(part, old, new) for part in tree] if isinstance(tree, list) else tree
