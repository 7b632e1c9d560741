"""Measures what training spends beside its steps: preparing the data, and saving.

    python scripts/benchmark_training.py --config configs/base.toml --data footage/ --twin

Prints, for the devices that are there:
- the step on a batch held in memory (median seconds), and the frames a second that it consumes;
- the pipeline alone, in frames a second, and how many times what the step consumes: 3 or more is wanted;
- the step with the pipeline (median), and how much longer it is: 5 % at most is wanted;
- with --twin, the step of 4 clips of 5 frames of 96×96 against that of the same network in PyTorch (channels last),
  both with Adam, measured in turns: seconds of either and their ratio; needs torch, in this environment or in the one
  whose Python TORCH_PYTHON names;
- what a checkpoint costs (the call itself, and the steps that run while it is written), and its share of a run that
  saves every 200 steps: 2 % at most is wanted.

Take the figures on an idle machine. Steps with and without are measured in turns, so that a change in the machine's
speed falls on both.
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

from vdiff_jax import config, heap, sample, sharding
from vdiff_jax.caches import cache_folder
from vdiff_jax.checkpoint import Checkpoints
from vdiff_jax.nn.network import count_parameters
from vdiff_jax.training import cache
from vdiff_jax.training.data import Examples, batches
from vdiff_jax.training.step import initial, make_step

EVERY = 200
"""Steps between two checkpoints."""


def main() -> None:
    options = _arguments()
    heap.keep()  # as training does
    sharding.connect()
    values = config.load(options.config)
    sharding.check_batch(values.data.batch, values.train.accumulate)
    items = cache.decode(options.data, options.cache, reduction=values.data.reduction)
    examples = Examples(cache.split(items)[0], values.data, values.train.tasks, seed=0)
    trainer = Trainer(values)
    frames = values.data.batch * values.data.frames
    stream = iter(batches(examples, values.data))
    held = sharding.split(next(stream))
    trainer.run(itertools.repeat(held), 3)  # compiles
    figures = _with_and_without(trainer, held, stream, options.steps)
    figures |= {"frames_per_second_consumed": frames / figures["step_seconds"]}
    figures |= _checkpoint(trainer, held, stream.get_state(), options.steps)
    figures["pipeline_frames_per_second"] = frames * _rate(iter(batches(examples, values.data)), options.steps)
    figures["pipeline_times"] = figures["pipeline_frames_per_second"] / figures["frames_per_second_consumed"]
    if options.twin:
        figures |= _against_twin(values, options.steps)
    figures["devices"] = jax.device_count()
    for name, figure in figures.items():
        print(f"{name:28} {figure:10.4g}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", help="a TOML file; see configs/")
    parser.add_argument("--data", default=sample.TRUTH, help="a folder of videos and photographs (the sample)")
    parser.add_argument("--cache", type=Path, default=cache_folder() / "data", help="where decoded data is kept")
    parser.add_argument("--steps", type=int, default=20, help="of each measurement (20)")
    parser.add_argument("--twin", action="store_true", help="compare with the same network in PyTorch")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here")
    return parser.parse_args()


class Trainer:
    """A state, and the step that takes it on."""

    def __init__(self, values: config.Config):
        definition, state = initial(values.train)
        self._step = sharding.data_parallel(make_step(definition, values.train))
        self.state = sharding.replicate(state)
        self.parameters = count_parameters(state.params)

    def run(self, stream: Iterator[Any], steps: int) -> list[float]:
        """The seconds that each step took, from asking for its batch to its end."""
        seconds = []
        for _ in range(steps):
            begun = time.perf_counter()
            self.state, metrics = self._step(self.state, next(stream))
            jax.block_until_ready(metrics)
            seconds.append(time.perf_counter() - begun)
        return seconds


def _with_and_without(trainer: Trainer, held: Any, stream: Iterator[Any], steps: int) -> dict[str, float]:
    """The step on a batch held in memory and with the pipeline, in turns of ten.

    The pipeline's threads fill their buffer and then rest during the turns without it, unless the step outruns it.
    """
    without, together = [], []
    for _ in range(max(1, steps // 10)):
        without += trainer.run(itertools.repeat(held), 10)[2:]
        together += trainer.run(map(sharding.split, stream), 10)[2:]
    alone, joined = statistics.median(without), statistics.median(together)
    return {"step_seconds": alone, "step_with_pipeline_seconds": joined, "pipeline_percent": 100 * (joined / alone - 1)}


def _against_twin(values: config.Config, steps: int) -> dict[str, float]:
    frames, batch, patch = 5, 4, 96
    shape = dataclasses.replace(values.data, frames=frames, batch=batch, patch=patch)
    train = dataclasses.replace(values.train, unroll=frames, optimiser="adam", accumulate=1)
    clips = cache.split(cache.decode(sample.TRUTH, cache_folder() / "data", reduction=1.0))[0]
    held = sharding.split(next(iter(batches(Examples(clips, shape, {"denoise": 1.0}, seed=0), shape))))
    trainer = Trainer(dataclasses.replace(values, data=shape, train=train))
    trainer.run(itertools.repeat(held), 3)
    sizes = {"size": train.size, "frames": frames, "batch": batch, "patch": patch, "steps": max(1, steps // 4)}
    command = [os.environ.get("TORCH_PYTHON", sys.executable), "-m", "peers.twin"]
    command += [f"--{name}={value}" for name, value in sizes.items()]
    ours, twin = [], []
    for _ in range(4):
        run = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        said = json.loads(run.stdout)
        if said["parameters"] != trainer.parameters:
            raise SystemExit(f"the twin has {said['parameters']} parameters, the network {trainer.parameters}")
        twin += said["seconds"]
        ours += trainer.run(itertools.repeat(held), sizes["steps"])
    mine, theirs = statistics.median(ours), statistics.median(twin)
    return {"twin_step_seconds": theirs, "same_step_seconds": mine, "same_step_over_twin": mine / theirs}


def _checkpoint(trainer: Trainer, held: Any, iterator: dict, steps: int) -> dict[str, float]:
    """What saving adds to the steps during which it goes on, as a share of `EVERY` steps."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        costs = []
        for step in range(4):
            plain = _seconds(lambda: trainer.run(itertools.repeat(held), steps))
            saving = _seconds(lambda step=step: _save(checkpoints, step, trainer, held, iterator, steps))
            costs.append(saving - plain)
            alone = plain / steps
        checkpoints.close()
    cost = statistics.median(costs[1:])  # the first one sets Orbax up
    return {"checkpoint_seconds": cost, "checkpoint_percent": 100 * cost / (EVERY * alone)}


def _save(checkpoints: Checkpoints, step: int, trainer: Trainer, held: Any, iterator: dict, steps: int) -> None:
    checkpoints.save(step, sharding.first(trainer.state), iterator, {})
    trainer.run(itertools.repeat(held), steps)
    checkpoints.wait()


def _seconds(run: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _rate(stream: Iterator[Any], steps: int) -> float:
    """Batches a second, once the buffer that was filled ahead is used up."""
    for _ in range(8):
        next(stream)
    return steps / _seconds(lambda: [next(stream) for _ in range(steps)])


if __name__ == "__main__":
    main()
