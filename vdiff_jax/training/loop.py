"""A training run: data, steps, metrics, evaluation and checkpoints."""

import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from vdiff_jax import config as configuration
from vdiff_jax import sharding, weights
from vdiff_jax.config import Config
from vdiff_jax.errors import CheckpointError, ConfigError, DivergedError
from vdiff_jax.nn.network import SIZES, count_parameters, same_but_blocks
from vdiff_jax.training import cache
from vdiff_jax.training.centring import input_means
from vdiff_jax.training.checkpoint import SCORE, Checkpoints
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.device_data import DeviceExamples
from vdiff_jax.training.evaluate import Evaluation
from vdiff_jax.training.metric_writer import MetricWriter, Scalars
from vdiff_jax.training.step import initial, make_step

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before the first one that is profiled: they compile, or wait for the first batches."""
MEASURED = 3
"""Examples from which the mean inputs of the convolutions are measured."""
WEIGHTS = "weights.safetensors"
"""The newest weights of a workdir."""


class Run:
    """One training run in one workdir.

    Args:
      config: what to train, and on what.
      workdir: the folder for metrics, checkpoints and the newest weights.
      data: a folder of videos and photographs, or one such file; also s3://… and gs://….
      cache_folder: the folder for decoded data.
      resume: continues from the newest checkpoint, if there is one.
      init_from: weights to start from, as a name or a file; `None`: random weights.
      exclude: parts of the names of files to leave out of the data.
      profile: the number of steps to trace for TensorBoard's profiler.

    Raises:
      ConfigError: the batch cannot be split over the devices, or `init_from` has another size than the network.
      CheckpointError: this run would overwrite another one, or no checkpoint of the workdir can be read.
      DataError: no such folder, or no data in it.
      WeightsError: `init_from` cannot be read.
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
        log.info("training data: %d shots and %d photographs", len(training.videos), len(training.photos))
        newest = workdir / WEIGHTS
        origin = newest if self.checkpoints.steps() and newest.exists() else init_from
        network = None if origin is None else weights.load(origin)
        self._network = SIZES[config.train.size] if network is None else network.config
        if not same_but_blocks(self._network, SIZES[config.train.size]):
            raise ConfigError(f"{origin}: these weights are not of the size {config.train.size}: change train.size")
        self.definition, state = initial(config.train, self._network)
        if network is not None:
            state = state._replace(params=network.params, average=network.params)
        parameters = count_parameters(state.params)
        devices = f"{jax.device_count()} device{'s' * (jax.device_count() > 1)}"
        log.info("network %s: %d parameters, on %s", config.train.size, parameters, devices)
        kind = {"host": Examples, "device": DeviceExamples}[config.data.where]
        self.examples = kind(training, config.data, config.train.tasks, seed=config.train.seed)
        self.iterator = iter(
            batches(self.examples, config.data, process=jax.process_index(), processes=jax.process_count())
        )
        self.evaluate = Evaluation(self.definition, validation, config)
        if self.checkpoints.steps():
            step, state, iterator = self.checkpoints.restore(state)
            self.iterator.set_state(iterator)
            log.info("resumed at step %d", step)
        else:
            log.info("measuring the mean input of each convolution")
            means = input_means(self.definition, state.params, (self.examples(n) for n in range(MEASURED)))
            state = state._replace(means=means)
        self.state = sharding.replicate(state)
        self._step = int(state.step)
        self._stopped = False

    def stop(self) -> None:
        """Makes `train` end after the current step, with a checkpoint."""
        self._stopped = True

    def train(self) -> bool:
        """Trains until step `train.steps` or until `stop`, and saves a checkpoint at the end.

        Returns:
          Whether it reached `train.steps`.

        Raises:
          DivergedError: the loss or its gradient is not a finite number.
        """
        train, step = self.config.train, self._step
        advance = sharding.data_parallel(make_step(self.definition, train))
        on_cpu = jax.default_backend() == "cpu"
        alone = sharding.CPU_PROGRAM if on_cpu else contextlib.nullcontext()
        pending: list[dict] = []
        log.info("compiling the training step: the first step takes a minute or more")
        with (
            MetricWriter(self.workdir, step) as writer,
            self._progress(step) as progress,
            self._profiler(step) as trace,
        ):
            if intended := self._log_intended():
                writer.write_scalars(step, intended)
            while step < train.steps and not self._stopped and not sharding.preempted(step):
                trace(step)
                batch = next(self.iterator)
                with jax.profiler.StepTraceAnnotation("train", step_num=step), alone:
                    self.state, metrics = advance(self.state, sharding.shard(batch))
                    if on_cpu:
                        # Queued steps would compete for threads and take twice as long.
                        jax.block_until_ready(metrics)
                pending.append(metrics)
                step += 1
                progress.update()
                # Metrics are written at each checkpoint too, so that a resumed run writes the same lines.
                last, saves = step == train.steps, step % train.checkpoint_every == 0
                if step % train.log_every == 0 or saves or last:
                    scalars = self._means(step, pending)
                    writer.write_scalars(step, scalars)
                    progress.set_postfix(loss=f"{scalars['loss']:.5f}")
                score = None
                if step % train.evaluate_every == 0 or last:
                    with alone:
                        score = self._evaluate(step, writer)
                if saves or last:
                    self._save(step, score)
            if step < train.steps and step not in self.checkpoints.steps():
                if pending:
                    writer.write_scalars(step, self._means(step, pending))
                self._save(step, None)
        self.checkpoints.close()
        return step >= train.steps

    def _log_intended(self) -> Scalars:
        """Logs each kind's share of the shots and its intended share of the examples, and returns the latter."""
        scalars = {}
        for name, kinds in self.examples.intended().items():
            parts = [f"{kind} {100 * data:.1f} → {100 * intended:.1f} %" for kind, (data, intended) in kinds.items()]
            log.info("shots by %s, in the data → among the examples: %s", name, ", ".join(parts))
            scalars |= {f"intended/{name}/{kind}": intended for kind, (_, intended) in kinds.items()}
        return scalars

    def _means(self, step: int, pending: list[dict]) -> Scalars:
        """The mean metrics of the steps since the last line. It empties `pending`."""
        metrics = [{key: float(sharding.unreplicate(leaf)) for key, leaf in one.items()} for one in pending]
        pending.clear()
        for n, one in enumerate(metrics, step - len(metrics) + 1):
            if not np.isfinite(list(one.values())).all():
                steps = self.checkpoints.steps()
                good = f"{self.workdir / 'checkpoints' / str(steps[-1])} (step {steps[-1]})" if steps else "none"
                raise DivergedError(
                    f"at step {n} the loss is {one['loss']:.6g} and the gradient's norm {one['gradient_norm']:.6g}: "
                    f"start again with a lower train.learning_rate; the last good checkpoint is {good}"
                )
        return {key: float(np.mean([one[key] for one in metrics])) for key in metrics[0]}

    def _evaluate(self, step: int, writer: MetricWriter) -> float:
        """Evaluates the averaged parameters, writes the results, and returns the mean PSNR of the tasks in dB."""
        scalars, pictures = self.evaluate(sharding.unreplicate(self.state.average))
        batch, every = self.config.data.batch, self.config.train.evaluate_every
        drawn = self.examples.drawn(max(0, step - every) * batch, step * batch)
        writer.write_scalars(step, {**scalars, **drawn})
        for task, picture in pictures.items():
            writer.write_image(step, task, picture)
        log.info("step %d: %s", step, ", ".join(f"{key} {value:.2f}" for key, value in scalars.items()))
        shares = (f"{key.removeprefix('drawn/')} {100 * share:.1f} %" for key, share in drawn.items())
        log.info("examples since the last evaluation: %s", ", ".join(shares))
        return float(np.mean([scalars[f"{SCORE}/{task}"] for task in self.config.train.tasks]))

    def _save(self, step: int, score: float | None) -> None:
        """Writes a checkpoint, and the averaged parameters as weights."""
        state = sharding.unreplicate(self.state)
        about = dataclasses.asdict(self.config)
        self.checkpoints.save(step, state, self.iterator.get_state(), about, score=score)
        log.info("step %d: checkpoint saved in %s", step, self.workdir)
        if sharding.is_first_process():
            metadata = {"step": str(step), "config": json.dumps(about)}
            weights.save(self.workdir / WEIGHTS, self._network, state.average, metadata)

    def _progress(self, step: int) -> tqdm:
        """The progress bar: on a terminal, of process 0."""
        hidden = None if sharding.is_first_process() else True
        return tqdm(total=self.config.train.steps, initial=step, unit="step", disable=hidden, dynamic_ncols=True)

    @contextlib.contextmanager
    def _profiler(self, first: int) -> Iterator[Callable[[int], None]]:
        """A function to call before each step, which starts and stops the trace of `profile` steps."""
        begin, end = first + WARM_UP, first + WARM_UP + self._profile
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
    """Raises CheckpointError if a workdir has checkpoints of another configuration, or has some and `resume` is off."""
    if not checkpoints.steps():
        return
    found = checkpoints.config()
    if found is not None:
        changed = configuration.differences(configuration.decode(found, f"{workdir}"), config)
        if changed:
            raise CheckpointError(
                f"{workdir} holds a run of another configuration: {'; '.join(changed)}; pass another --workdir"
            )
    if not resume:
        last = checkpoints.steps()[-1]
        raise CheckpointError(f"{workdir} holds a run up to step {last}: pass --resume, or another --workdir")
