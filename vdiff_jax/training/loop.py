"""The training run: data, steps, metrics, evaluation, checkpoints."""

import contextlib
import dataclasses
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from vdiff_jax import config as configuration
from vdiff_jax import sharding, weights
from vdiff_jax.config import Config
from vdiff_jax.errors import CheckpointError, DivergedError
from vdiff_jax.nn.network import SIZES, count_parameters
from vdiff_jax.training import cache
from vdiff_jax.training.checkpoint import SCORE, Checkpoints
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.evaluate import Evaluation
from vdiff_jax.training.journal import Journal, Record
from vdiff_jax.training.step import initial, make_step

log = logging.getLogger(__name__)

WARM = 3
"""Steps before a profile's first, which are compiled or wait for the first batches."""


class Run:
    """One training run in one workdir.

    Args:
      config: what to train and on what.
      workdir: where metrics, checkpoints and the newest weights go.
      data: a folder of videos and photographs, or one of them; s3://… and gs://… as well.
      cache_folder: where decoded data is kept.
      resume: goes on from the newest checkpoint, if there is one.
      init_from: weights to start from (a name or a file).
      exclude: parts of names of files to leave out.
      profile: steps to trace for TensorBoard's profiler.

    Raises:
      ConfigError: the devices don't divide the batch.
      CheckpointError: the workdir holds a run that this one would overwrite, or none of its checkpoints can be read.
      DataError: no data.
    """

    def __init__(
        self,
        config: Config,
        workdir: Path,
        data: str | Path,
        cache_folder: Path,
        *,
        resume: bool = False,
        init_from: str | None = None,
        exclude: tuple[str, ...] = (),
        profile: int = 0,
    ):
        sharding.check_batch(config.data.batch, config.train.accumulate)
        self.config, self.workdir, self._profile = config, workdir, profile
        workdir.mkdir(parents=True, exist_ok=True)
        self.checkpoints = Checkpoints(workdir)
        check_workdir(workdir, self.checkpoints, config, resume=resume)
        items = cache.decode(data, cache_folder, reduction=config.data.reduction, exclude=exclude)
        training, validation = cache.split(items)
        self.definition, state = initial(config.train)
        if init_from is not None:
            params = weights.load(init_from)[1]
            state = state._replace(params=params, average=params)
        self.examples = Examples(training, config.data, config.train.tasks, seed=config.train.seed)
        self.iterator = iter(
            batches(self.examples, config.data, process=jax.process_index(), processes=jax.process_count())
        )
        self.evaluate = Evaluation(self.definition, validation, config)
        if self.checkpoints.steps():
            step, state, iterator = self.checkpoints.restore(state)
            self.iterator.set_state(iterator)
            log.info("resumed at step %d", step)
        self.state = sharding.replicate(state)
        self._step = int(state.step)
        self._stopped = False
        log.info("%d shots and %d photographs to train on", len(training.videos), len(training.photos))
        log.info("%s: %d parameters, %d devices", config.train.size, count_parameters(state.params), jax.device_count())

    def stop(self) -> None:
        """Ends the run after the step that is under way; what was learned is saved."""
        self._stopped = True

    def train(self) -> bool:
        """Runs until `train.steps`, or until it is stopped; says whether it got there. The last state is saved.

        Raises:
          DivergedError: the loss or its gradient is no longer a number.
        """
        train, step = self.config.train, self._step
        advance = sharding.data_parallel(make_step(self.definition, train))
        pending: list[dict] = []
        with Journal(self.workdir, step) as journal, self._progress(step) as progress, self._tracing(step) as trace:
            if intended := self._say_weights():
                journal.write(step, intended)
            while step < train.steps and not self._stopped and not sharding.preempted(step):
                trace(step)
                with jax.profiler.StepTraceAnnotation("train", step_num=step):
                    self.state, metrics = advance(self.state, sharding.split(next(self.iterator)))
                    if jax.default_backend() == "cpu":
                        # Steps that wait in a queue take part in each other's threads, and twice as long.
                        jax.block_until_ready(metrics)
                pending.append(metrics)
                step += 1
                progress.update()
                # A checkpoint begins a new line, so that a run that goes on from it writes the same lines.
                last, saves = step == train.steps, step % train.checkpoint_every == 0
                if step % train.log_every == 0 or saves or last:
                    record = self._means(step, pending)
                    journal.write(step, record)
                    progress.set_postfix(loss=f"{record['loss']:.5f}")
                score = self._evaluate(step, journal) if step % train.evaluate_every == 0 or last else None
                if saves or last:
                    self._save(step, score)
            if step < train.steps and step not in self.checkpoints.steps():
                if pending:
                    journal.write(step, self._means(step, pending))
                self._save(step, None)
        self.checkpoints.close()
        return step >= train.steps

    def _say_weights(self) -> Record:
        """What share of the shots each kind is, and what share of those drawn it is to be, said and as a record."""
        record = {}
        for name, kinds in self.examples.intended().items():
            parts = [f"{kind} {100 * there:.1f} → {100 * drawn:.1f} %" for kind, (there, drawn) in kinds.items()]
            log.info("%s of shots, there and drawn: %s", name, ", ".join(parts))
            record |= {f"intended/{name}/{kind}": drawn for kind, (_, drawn) in kinds.items()}
        return record

    def _means(self, step: int, pending: list[dict]) -> Record:
        """The metrics of the steps since the last line, averaged; `pending` is empty afterwards."""
        metrics = [{key: float(sharding.first(leaf)) for key, leaf in one.items()} for one in pending]
        pending.clear()
        for n, one in enumerate(metrics, step - len(metrics) + 1):
            if not np.isfinite(list(one.values())).all():
                steps = self.checkpoints.steps()
                good = f"{self.workdir / 'checkpoints' / str(steps[-1])} (step {steps[-1]})" if steps else "none"
                raise DivergedError(
                    f"the loss is {one['loss']:.6g} at step {n}, the gradient's norm {one['gradient_norm']:.6g}; "
                    f"the last good checkpoint is {good}: begin from its weights at a lower train.learning_rate"
                )
        return {key: float(np.mean([one[key] for one in metrics])) for key in metrics[0]}

    def _evaluate(self, step: int, journal: Journal) -> float:
        """Writes down how good the averaged parameters are and what was drawn; the mean PSNR over the tasks in dB."""
        scalars, strips = self.evaluate(sharding.first(self.state.average))
        batch, every = self.config.data.batch, self.config.train.evaluate_every
        drawn = self.examples.drawn(max(0, step - every) * batch, step * batch)
        journal.write(step, {**scalars, **drawn})
        for task, strip in strips.items():
            journal.show(step, task, strip)
        log.info("step %d: %s", step, ", ".join(f"{key} {value:.2f}" for key, value in scalars.items()))
        log.info("drawn: %s", ", ".join(f"{key.removeprefix('drawn/')} {100 * n:.1f} %" for key, n in drawn.items()))
        return float(np.mean([scalars[f"{SCORE}/{task}"] for task in self.config.train.tasks]))

    def _save(self, step: int, score: float | None) -> None:
        state = sharding.first(self.state)
        about = dataclasses.asdict(self.config)
        self.checkpoints.save(step, state, self.iterator.get_state(), about, score=score)
        if sharding.leads():
            text = {"step": str(step), "config": json.dumps(about)}
            weights.save(self.workdir / "weights.safetensors", SIZES[self.config.train.size], state.average, text)

    def _progress(self, step: int) -> tqdm:
        hidden = None if sharding.leads() else True
        return tqdm(total=self.config.train.steps, initial=step, unit="step", disable=hidden, dynamic_ncols=True)

    @contextlib.contextmanager
    def _tracing(self, first: int) -> Iterator:
        """To be called before each step: begins and ends the trace of `profile` steps."""
        begin, end = first + WARM, first + WARM + self._profile
        tracing = False

        def trace(step: int) -> None:
            nonlocal tracing
            if self._profile and step in (begin, end):
                jax.block_until_ready(self.state)
                if step == begin:
                    jax.profiler.start_trace(str(self.workdir / "tensorboard"))
                else:
                    jax.profiler.stop_trace()
                tracing = step == begin

        try:
            yield trace
        finally:
            if tracing:
                jax.profiler.stop_trace()


def check_workdir(workdir: Path, checkpoints: Checkpoints, config: Config, *, resume: bool) -> None:
    """Raises CheckpointError where a workdir's checkpoints are of another configuration, or are not to be resumed."""
    if not checkpoints.steps():
        return
    found = checkpoints.config()
    if found is not None:
        changed = configuration.differences(configuration.decode(found, f"{workdir}"), config)
        if changed:
            what = "; ".join(changed)
            raise CheckpointError(f"{workdir} holds a run of another configuration: {what}; name another --workdir")
    if not resume:
        last = checkpoints.steps()[-1]
        raise CheckpointError(f"{workdir} holds a run up to step {last}: add --resume, or name another --workdir")
