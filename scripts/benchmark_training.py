"""Measures what training costs beside its steps: preparing the data, and saving checkpoints.

    python scripts/benchmark_training.py --config configs/base.toml --data footage/ --twin

Prints for the present devices:
- the median seconds of a step on batches held in memory, and the frames that it takes in a second;
- the frames that the data pipeline alone makes in a second, and their ratio to what the step takes: it should be 3 or
  more;
- the median seconds of a step with the data pipeline running, and how much longer it is: 5 % or less is good;
- what a checkpoint costs: the call, and how much it slows the steps that run while it is written. Its share of a run
  that saves every 200 steps should be 2 % or less;
- with --twin, the seconds of a step of the network and of its twin, the same network in PyTorch (4 clips of 5 frames of
  96×96, Adam, channels last), and the losses of the first steps, which start from the same weights and batch. They
  should differ by 1e-4 of their size or less. PyTorch and safetensors have to be installed here, or in the environment
  whose Python TORCH_PYTHON names.

--losses only compares the losses of the first steps with the twin's (2 clips of 3 frames of 32×32). Most of its time is
compilation.

Run it on an idle machine. What is compared is measured in turns, so that both share a change in the machine's speed.
"""

import argparse
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from benchmarking.arguments import new_parser

from vdiff_jax import config, sample, sharding, weights
from vdiff_jax.nn.network import SIZES, count_parameters
from vdiff_jax.preprocess.colour import to_rgb
from vdiff_jax.runtime import allocator
from vdiff_jax.runtime.caches import cache_folder
from vdiff_jax.training import cache
from vdiff_jax.training.checkpoint import Checkpoints
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.step import initial, make_step, schedule

EVERY = 200
"""Steps between two checkpoints of a run."""
_TURN = 10
"""Steps in a turn: then the other of two alternatives is measured."""
_WARM_UP = 24
"""Batches that are drawn first, so that the corruption of each task is compiled."""
FIRST = 5
"""The first steps, whose losses are compared with the twin's."""


def main() -> None:
    """Measures and prints the figures."""
    options = _arguments()
    allocator.keep_freed_memory()  # training does so, too
    sharding.connect()
    values = config.load(options.config)
    figures = _first_losses(values) if options.losses else _figures(values, options)
    _report(figures, options.json)


def _figures(values: config.Config, options: argparse.Namespace) -> dict[str, float]:
    sharding.check_batch(values.data.batch, values.train.accumulate)
    items = cache.decode(options.data, options.cache, reduction=values.data.reduction)
    examples = Examples(cache.split(items)[0], values.data, values.train.tasks, seed=0)
    trainer = Trainer(values)
    frames = values.data.batch * values.data.frames
    stream = iter(batches(examples, values.data))
    held = sharding.shard([next(stream) for _ in range(_WARM_UP)][-1])
    trainer.run(itertools.repeat(held), 3)  # compiles
    figures = _with_and_without(trainer, stream, options.steps)
    figures |= {"frames_per_second_consumed": frames / figures["step_seconds"]}
    figures |= _checkpoint(trainer, held, stream.get_state())
    figures["pipeline_frames_per_second"] = frames * _rate(iter(batches(examples, values.data)), options.steps)
    figures["pipeline_times"] = figures["pipeline_frames_per_second"] / figures["frames_per_second_consumed"]
    if options.twin:
        figures |= _against_twin(values, options.steps)
    figures["devices"] = jax.device_count()
    return figures


def _report(figures: dict[str, float], file: Path | None) -> None:
    for name, figure in figures.items():
        print(f"{name:28} {figure:12.6g}")
    if file:
        file.write_text(json.dumps(figures, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--config", help="a TOML file of configs/ (default: the built-in values)")
    parser.add_argument(
        "--data", default=sample.TRUTH, help="a folder of videos and photographs (default: the sample clip)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=cache_folder() / "data",
        help="folder that keeps the decoded data (default: %(default)s)",
    )
    parser.add_argument("--steps", type=int, default=20, help="steps of each measurement (default: 20)")
    parser.add_argument("--twin", action="store_true", help="also compare with the same network in PyTorch")
    parser.add_argument(
        "--losses", action="store_true", help="only compare the losses of the first steps with that network's"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for the figures")
    return parser.parse_args()


class Trainer:
    """A training state, and the step that advances it."""

    def __init__(self, values: config.Config):
        definition, state = initial(values.train)
        self._step = sharding.data_parallel(make_step(definition, values.train))
        self.state = sharding.replicate(state)
        self.parameters = count_parameters(state.params)
        self.losses: list[float] = []

    def run(self, stream: Iterator[Any], steps: int) -> list[float]:
        """Trains for some steps; the seconds of each, from asking for its batch to its end."""
        seconds = []
        for _ in range(steps):
            begun = time.perf_counter()
            self.state, metrics = self._step(self.state, next(stream))
            jax.block_until_ready(metrics)
            seconds.append(time.perf_counter() - begun)
            self.losses.append(float(metrics["loss"][0]))
        return seconds


def _with_and_without(trainer: Trainer, stream: Iterator[Any], steps: int) -> dict[str, float]:
    """The seconds of a step with the data pipeline, and of a step on the same batches held in memory, in turns.

    During the turns without it, the pipeline's threads fill their buffer and then wait.
    """
    without, together = [], []
    for _ in range(max(1, steps // _TURN)):
        drawn: list[Any] = []
        together += trainer.run(_kept(map(sharding.split, stream), drawn), _TURN)[2:]
        without += trainer.run(iter(drawn), _TURN)[2:]
    longer = statistics.median(joined / alone for joined, alone in zip(together, without))
    return {
        "step_seconds": statistics.median(without),
        "step_with_pipeline_seconds": statistics.median(together),
        "pipeline_percent": 100 * (longer - 1),
    }


def _kept(batches: Iterator[Any], drawn: list[Any]) -> Iterator[Any]:
    """The batches, each of which is also appended to `drawn`."""
    for batch in batches:
        drawn.append(batch)
        yield batch


class Pair:
    """The network and its twin: the same weights, noisy clips and random motion, Adam and float32 for both."""

    def __init__(self, values: config.Config, folder: Path, *, steps: int, **shape: int):
        data = dataclasses.replace(values.data, **shape)
        rule = {"optimiser": "adam", "accumulate": 1, "compute": "float32"}
        train = dataclasses.replace(values.train, unroll=data.frames, **rule)
        clips = cache.split(cache.decode(sample.TRUTH, cache_folder() / "data", reduction=1.0))[0]
        batch = next(iter(batches(Examples(clips, data, {"denoise": 1.0}, seed=0), data)))
        # The motion measured in such small clips is often zero, which would not test the motion compensation.
        drawn = np.random.default_rng(0).uniform(-4, 4, batch.observation.velocity.shape).astype(np.float32)
        batch = batch._replace(observation=dataclasses.replace(batch.observation, velocity=drawn))
        self.held = itertools.repeat(sharding.shard(batch))
        self.trainer = Trainer(dataclasses.replace(values, data=data, train=train))
        files = [folder / "weights.safetensors", folder / "batch.npz"]
        weights.save(files[0], SIZES[train.size], sharding.unreplicate(self.trainer.state).params, {})
        known = {name: getattr(batch.observation, name) for name in ("values", "known", "sigma", "time", "velocity")}
        rates = [float(schedule(train)(step)) for step in range(steps)]
        np.savez(files[1], **known, clip=batch.clip, rates=rates, rgb=to_rgb("bt601"))
        python = os.environ.get("TORCH_PYTHON", sys.executable)
        self._command = [python, "-m", "peers.twin", *map(str, files), "--loss", train.loss, "--clip", str(train.clip)]

    def run_twin(self) -> dict[str, Any]:
        """Trains the twin from the first step on; its `parameters`, and the `losses` and `seconds` of its steps."""
        run = subprocess.run(self._command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(run.stdout)
        if figures["parameters"] != self.trainer.parameters:
            raise SystemExit(f"the twin has {figures['parameters']} parameters, the network {self.trainer.parameters}")
        return figures

    def losses(self, twin: list[float]) -> dict[str, float]:
        """The losses of the first steps of both, and their greatest relative difference."""
        both = list(zip(self.trainer.losses, twin))[:FIRST]
        figures = {"loss_greatest_difference": max(abs(ours - its) / abs(ours) for ours, its in both)}
        for step, (ours, its) in enumerate(both, 1):
            figures |= {f"loss_{step}": ours, f"twin_loss_{step}": its}
        return figures


def _first_losses(values: config.Config) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(values, Path(folder), steps=FIRST, frames=3, batch=2, patch=32)
        pair.trainer.run(pair.held, FIRST)
        return pair.losses(pair.run_twin()["losses"])


def _against_twin(values: config.Config, steps: int) -> dict[str, float]:
    turn = max(1, steps // 4)
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(values, Path(folder), steps=FIRST + turn, frames=5, batch=4, patch=96)
        pair.trainer.run(pair.held, FIRST)  # compiles
        ours, twin, figures = [], [], {}
        for _ in range(4):
            figures = pair.run_twin()
            twin += figures["seconds"][FIRST:]
            ours += pair.trainer.run(pair.held, turn)
    mine, theirs = statistics.median(ours), statistics.median(twin)
    seconds = {"twin_step_seconds": theirs, "same_step_seconds": mine, "same_step_over_twin": mine / theirs}
    return seconds | pair.losses(figures["losses"])


def _checkpoint(trainer: Trainer, held: Any, iterator: dict) -> dict[str, float]:
    """The seconds that saving adds to the steps that run meanwhile, and their share of `EVERY` steps."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        costs = []
        for step in range(4):
            plain = _seconds(lambda: trainer.run(itertools.repeat(held), _TURN))
            saving = _seconds(lambda step=step: _save(checkpoints, step, trainer, held, iterator))
            costs.append(saving - plain)
            alone = plain / _TURN
        checkpoints.close()
    cost = statistics.median(costs[1:])  # the first one sets Orbax up
    return {"checkpoint_seconds": cost, "checkpoint_percent": 100 * cost / (EVERY * alone)}


def _save(checkpoints: Checkpoints, step: int, trainer: Trainer, held: Any, iterator: dict) -> None:
    checkpoints.save(step, sharding.unreplicate(trainer.state), iterator, {})
    trainer.run(itertools.repeat(held), _TURN)
    checkpoints.wait()


def _seconds(run: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _rate(stream: Iterator[Any], steps: int) -> float:
    """Batches a second, measured after the buffer filled in advance is used up."""
    for _ in range(8):
        next(stream)
    return steps / _seconds(lambda: [next(stream) for _ in range(steps)])


if __name__ == "__main__":
    main()
