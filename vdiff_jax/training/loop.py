"""The training run: data, steps, metrics, evaluation, checkpoints."""

import dataclasses
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tensorboardX import SummaryWriter
from tqdm import tqdm

from vdiff_jax import sharding, weights
from vdiff_jax.checkpoint import Checkpoints
from vdiff_jax.config import Config
from vdiff_jax.errors import VdiffError
from vdiff_jax.nn.network import SIZES, count_parameters
from vdiff_jax.training import cache
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.evaluate import Evaluation
from vdiff_jax.training.step import initial, make_step

log = logging.getLogger(__name__)


class DivergedError(VdiffError):
    """The loss is no longer a number."""


class Run:
    """One training run in one workdir.

    Args:
      config: what to train and on what.
      workdir: where metrics, checkpoints and the newest weights go.
      data: a folder of videos and photographs, or one video.
      cache_folder: where decoded data is kept.
      resume: goes on from the newest checkpoint.
      init_from: weights to start from (a name or a file).
    """

    def __init__(
        self,
        config: Config,
        workdir: Path,
        data: Path,
        cache_folder: Path,
        *,
        resume: bool = False,
        init_from: str | None = None,
        exclude: tuple[str, ...] = (),
    ):
        sharding.check_batch(config.data.batch)
        self.config, self.workdir = config, workdir
        workdir.mkdir(parents=True, exist_ok=True)
        items = cache.decode(data, cache_folder, reduction=config.data.reduction, exclude=exclude)
        training, validation = cache.split(items)
        log.info("%d videos and %d photographs to train on", len(training.videos), len(training.photos))
        self.definition, state = initial(config.train)
        if init_from is not None:
            params = weights.load(init_from)[1]
            state = state._replace(params=params, average=params)
        self.examples = Examples(training, config.data, config.train.tasks, seed=config.train.seed)
        self.iterator = iter(
            batches(self.examples, config.data, process=jax.process_index(), processes=jax.process_count())
        )
        self.evaluate = Evaluation(self.definition, validation, config)
        self.checkpoints = Checkpoints(workdir)
        if resume and self.checkpoints.steps():
            _, state, iterator, _ = self.checkpoints.restore(state)
            self.iterator.set_state(iterator)
        log.info("%s: %d parameters, %d devices", config.train.size, count_parameters(state.params), jax.device_count())
        self.state = sharding.replicate(state)
        self._stopped = False

    def stop(self) -> None:
        """Ends the run after the step that is under way; what was learned is saved."""
        self._stopped = True

    def train(self) -> bool:
        """Runs until `train.steps`, or until it is stopped; says whether it got there. The last state is saved."""
        train = self.config.train
        step = int(sharding.first(self.state.step))
        advance = sharding.data_parallel(make_step(self.definition, train))
        losses: list[Any] = []
        begun = time.monotonic()
        with (
            open(self.workdir / "metrics.jsonl", "a") as lines,
            SummaryWriter(str(self.workdir / "tensorboard")) as board,
            tqdm(total=train.steps, initial=step, unit="step", disable=None, dynamic_ncols=True) as progress,
        ):
            while step < train.steps and not self._stopped:
                batch = sharding.split(next(self.iterator))
                self.state, metrics = advance(self.state, batch)
                losses.append(metrics)
                step += 1
                progress.update()
                if step % train.log_every == 0 or step == train.steps:
                    record = self._record(step, losses, begun)
                    losses.clear()
                    _write(lines, board, record)
                    progress.set_postfix(loss=f"{record['loss']:.5f}")
                if step % train.evaluate_every == 0 or step == train.steps:
                    self._evaluate(step, lines, board, begun)
                if step % train.checkpoint_every == 0 or step == train.steps:
                    self._save(step)
            if self._stopped and step not in self.checkpoints.steps():
                self._save(step)
        self.checkpoints.wait()
        return step >= train.steps

    def _record(self, step: int, losses: list[dict], begun: float) -> dict[str, float]:
        means = {key: float(np.mean([np.asarray(m[key][0]) for m in losses])) for key in losses[0]}
        if not np.isfinite(means["loss"]):
            last = (self.checkpoints.steps() or ["none"])[-1]
            raise DivergedError(
                f"the loss is {means['loss']} at step {step}; the last good checkpoint is that of step {last}"
            )
        return {"step": step, "seconds": round(time.monotonic() - begun, 3), **means}

    def _evaluate(self, step: int, lines, board: SummaryWriter, begun: float) -> None:
        scalars, strips = self.evaluate(sharding.first(self.state.average))
        _write(lines, board, {"step": step, "seconds": round(time.monotonic() - begun, 3), **scalars})
        for task, strip in strips.items():
            board.add_image(task, strip, step, dataformats="HWC")
        log.info("step %d: %s", step, ", ".join(f"{k} {v:.2f}" for k, v in scalars.items()))

    def _save(self, step: int) -> None:
        state = sharding.first(self.state)
        self.checkpoints.save(step, state, self.iterator.get_state(), dataclasses.asdict(self.config))
        about = {"step": str(step), "config": json.dumps(dataclasses.asdict(self.config))}
        weights.save(self.workdir / "weights.safetensors", SIZES[self.config.train.size], state.average, about)


def default_cache() -> Path:
    """Where decoded training data is kept: $XDG_CACHE_HOME/vdiff_jax or ~/.cache/vdiff_jax."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vdiff_jax" / "data"


def _write(lines, board: SummaryWriter, record: dict[str, float]) -> None:
    lines.write(json.dumps(record) + "\n")
    lines.flush()
    for key, value in record.items():
        if key not in ("step", "seconds"):
            board.add_scalar(key, value, record["step"])
