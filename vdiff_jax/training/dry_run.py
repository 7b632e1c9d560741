"""The dry run of a training: what a step costs, by XLA's analysis of the step, without training."""

import dataclasses
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from vdiff_jax import sharding
from vdiff_jax.config import Config
from vdiff_jax.errors import ConfigError
from vdiff_jax.nn.network import count_parameters
from vdiff_jax.runtime.device_memory import machine_memory
from vdiff_jax.training import cache
from vdiff_jax.training.data import Examples, example_shapes
from vdiff_jax.training.device_data import DeviceExamples
from vdiff_jax.training.step import State, initial, make_step

log = logging.getLogger(__name__)

_STEPS = 3
"""The steps that are timed."""
_EXAMPLES = 16
"""The training clips that are timed."""


class Chip(NamedTuple):
    """A chip by its data sheet: dense peaks in TFLOP/s, memory bandwidth in GB/s, memory in GB."""

    bfloat16: float
    float32: float
    bandwidth: float
    memory: float


# The second peak is for float32 at JAX's default precision: one bfloat16 pass on TPUs, TF32 on GPUs that have it.
CHIPS = {
    "TPU v4": Chip(275, 275, 1228, 32),
    "TPU v5e": Chip(197, 197, 819, 16),
    "TPU v5p": Chip(459, 459, 2765, 95),
    "TPU v6e": Chip(918, 918, 1640, 32),
    "NVIDIA T4": Chip(65, 8.1, 320, 16),
    "NVIDIA L4": Chip(121, 60, 300, 24),
    "NVIDIA RTX 4090": Chip(165, 82, 1008, 24),
    "NVIDIA A100 80GB": Chip(312, 156, 2039, 80),
    "NVIDIA H100 SXM": Chip(989, 494, 3350, 80),
}


class Cost(NamedTuple):
    """What one step costs on one device.

    Attributes:
      flops: floating-point operations.
      bytes: read from memory and written to it.
      activations: bytes of memory for activations.
      memory: bytes of memory in all.
    """

    flops: float
    bytes: float
    activations: int
    memory: int


def dry_run(config: Config, data: str | Path, *, exclude: tuple[str, ...] = (), measure: bool = False) -> str:
    """The report of a dry run on this machine's devices.

    Args:
      config: the training's configuration.
      data: a folder of videos and photographs.
      exclude: parts of the names of files to leave out.
      measure: compiles the step as training does, and times some steps and the making of clips.

    Raises:
      ConfigError: the batch cannot be split over the devices, or a step does not fit their memory.
      DataError: no such folder, or no data in it.
    """
    sharding.check_batch(config.data.batch, config.train.accumulate)
    files = cache.find_footage(data, exclude=exclude)
    definition, state = jax.eval_shape(partial(initial, config.train))
    lowered = _lowered(config, definition, state)
    log.info("compiling a training step without optimisations, to see what memory it needs")
    compiled = lowered.compile(compiler_options=_quickly())
    cost = _cost(config, lowered, compiled)
    _check_memory(cost)
    frames = config.data.batch // jax.device_count() * config.data.frames
    lines = [
        *_configuration(config),
        f"data: {len(files)} files in {data}",
        f"parameters: {count_parameters(state.params):,}",
        f"devices: {jax.device_count()} × {jax.devices()[0].device_kind} in {jax.process_count()} processes",
        *_layout(config, compiled),
        "each step, on each device (1 GFLOP is 10^9 floating-point operations, 1 GB is 10^9 bytes):",
        f"  {cost.flops / 1e9:.3g} GFLOP of arithmetic, {cost.bytes / 1e9:.3g} GB read from memory and written to it",
        f"  {frames} frames: {cost.flops / 1e9 / frames:.3g} GFLOP and {cost.bytes / 1e9 / frames:.3g} GB each",
        f"  {_megabytes(cost.activations)} of activations, {_megabytes(cost.memory)} of memory in all",
    ]
    if measure:
        lines += _measured(config, lowered, frames) + _feeding(config)
    lines += [
        "frames of training clips a second at most, by each chip's data sheet, with this batch on one chip:",
        *(f"  {name:17} {_upper_bound(config, cost, chip, frames)}" for name, chip in CHIPS.items()),
    ]
    return "\n".join(lines)


def _lowered(config: Config, definition: nnx.GraphDef, state: State) -> jax.stages.Lowered:
    """The step of a run, not compiled yet, from shapes alone."""
    step = sharding.data_parallel(make_step(definition, config.train))
    return step.lower(*_arguments(config, state, config.data.batch // jax.device_count()))


def _quickly() -> dict[str, bool | int] | None:
    """The compiler's options that leave LLVM's optimisations out; the memory that a step needs stays the same."""
    if jax.default_backend() != "cpu":
        return None
    return {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def _cost(config: Config, lowered: jax.stages.Lowered, compiled: jax.stages.Compiled) -> Cost:
    """The cost of a step.

    XLA counts the body of a loop once, but it runs for each frame of each part of the batch. So the counts are
    multiplied by that number. The optimiser, which runs once, is then counted too often: some tens of operations for
    each parameter and frame.
    """
    times = config.data.frames * config.train.accumulate
    memory: Any = compiled.memory_analysis()
    kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Cost(
        _analysis(lowered)["flops"] * times,
        _analysis(compiled)["bytes accessed"] * times,
        memory.temp_size_in_bytes,
        kept + memory.temp_size_in_bytes,
    )


def _analysis(step: jax.stages.Lowered | jax.stages.Compiled) -> dict[str, float]:
    """XLA's count of operations and bytes; for some devices it comes in a list."""
    found: Any = step.cost_analysis()
    return found[0] if isinstance(found, list) else found


def step_seconds(config: Config, lowered: jax.stages.Lowered | None = None) -> list[float]:
    """Seconds of some steps on this machine, compiled as training does, without reading data.

    Args:
      config: the training's configuration.
      lowered: the step, if it is at hand.
    """
    step = (lowered or _lowered(config, *jax.eval_shape(partial(initial, config.train)))).compile()
    _, state = initial(config.train)
    state = sharding.replicate(state)
    clips = config.data.batch // jax.device_count()
    devices = jax.local_device_count()
    batch = jax.tree.map(
        lambda leaf: np.full((devices, clips, *leaf.shape), 0.5, leaf.dtype), example_shapes(config.data)
    )
    seconds = []
    for _ in range(_STEPS + 1):  # the first one also loads the program
        begun = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch))
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def _measured(config: Config, lowered: jax.stages.Lowered, frames: int) -> list[str]:
    """What a step takes on this very machine, and the whole training."""
    log.info("compiling a training step as training does, to time it: this may take minutes")
    seconds = step_seconds(config, lowered)
    each = float(np.median(seconds))
    minutes = each * config.train.steps / 60
    total = f"{minutes:.3g} minutes" if minutes < 120 else f"{minutes / 60:.3g} hours"
    return [
        f"measured here: {each:.3g} s a step ({min(seconds):.3g} to {max(seconds):.3g} s in {_STEPS} steps), "
        f"without reading data",
        f"  {frames / each:.3g} frames of training clips a second on each device",
        f"  {config.train.steps:,} steps take {total}",
    ]


def _feeding(config: Config) -> list[str]:
    """The frames a second of training clips that can be made on this machine, on the host and on the device."""
    log.info("making training clips of random pictures, to time both ways")
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (540, 960, 3), np.uint8) for _ in range(2)]
    split = cache.Split(photos, [rng.integers(0, 256, (3 * config.data.frames, 270, 480, 3), np.uint8)])
    speeds = []
    for kind in (Examples, DeviceExamples):
        examples = kind(split, config.data, config.train.tasks, seed=config.train.seed)
        with ThreadPoolExecutor(config.data.threads) as threads:
            jax.block_until_ready(list(threads.map(examples, range(_EXAMPLES))))  # compiles
            begun = time.perf_counter()
            jax.block_until_ready(list(threads.map(examples, range(_EXAMPLES))))
            speeds.append(_EXAMPLES * config.data.frames / (time.perf_counter() - begun))
    return [
        f"  clips with {config.data.threads} threads: {speeds[0]:.3g} frames/s with data.where = host, "
        f"{speeds[1]:.3g} with device"
    ]


def _arguments(config: Config, state: State, clips: int) -> tuple[State, Any]:
    """Shapes and dtypes of the step's arguments."""
    devices = jax.local_device_count()

    def stacked(*before: int):
        return lambda leaf: jax.ShapeDtypeStruct((devices, *before, *leaf.shape), leaf.dtype)

    return jax.tree.map(stacked(), state), jax.tree.map(stacked(clips), example_shapes(config.data))


def _check_memory(cost: Cost) -> None:
    """Raises ConfigError if a step does not fit the memory of a device; CPU devices share the machine's memory."""
    device = jax.local_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None:
        limit = machine_memory() // jax.local_device_count()
    if cost.memory > limit:
        raise ConfigError(
            f"a step needs {_megabytes(cost.memory)} on each {device.device_kind}, which has {_megabytes(limit)}: "
            "raise train.accumulate, set train.remat, or lower data.batch, data.frames or data.patch"
        )


def _configuration(config: Config) -> list[str]:
    sections = dataclasses.asdict(config).items()
    return [line for name, values in sections for line in (f"[{name}]", *(f"{k} = {v}" for k, v in values.items()))]


def _layout(config: Config, compiled: jax.stages.Compiled) -> list[str]:
    state, batch = compiled.input_shardings[0]
    clips = config.data.batch // jax.device_count()
    return [
        f"state: {jax.tree.leaves(state)[0].spec}, copied to each device",
        f"batch: {jax.tree.leaves(batch)[0].spec}, {clips} clips on each device, in {config.train.accumulate} parts",
    ]


def _upper_bound(config: Config, cost: Cost, chip: Chip, frames: int) -> str:
    """The frames a second that a chip trains at most, and what limits it: arithmetic or memory bandwidth."""
    peak = getattr(chip, config.train.compute) * 1e12
    computing, moving = cost.flops / peak, cost.bytes / (chip.bandwidth * 1e9)
    limit = "FLOPs" if computing > moving else "memory bandwidth"
    fits = "" if cost.memory < chip.memory * 1e9 else f"; does not fit its {chip.memory:.0f} GB"
    return f"{frames / max(computing, moving):12,.0f} frames/s, limited by {limit}{fits}"


def _megabytes(count: float | int) -> str:
    return f"{count / 1e6:,.1f} MB"
