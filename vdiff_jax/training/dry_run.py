"""The dry run of a training: what a step costs, by XLA's analysis of the compiled step, without training."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from vdiff_jax import sharding
from vdiff_jax.config import Config
from vdiff_jax.errors import ConfigError
from vdiff_jax.nn.network import count_parameters
from vdiff_jax.runtime.device_memory import machine_memory
from vdiff_jax.training import cache
from vdiff_jax.training.data import example_shapes
from vdiff_jax.training.step import State, initial, make_step


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
    """What one step costs on one device: floating-point operations, bytes moved, bytes of activations and in all."""

    flops: float
    bytes: float
    activations: int
    memory: int


def dry_run(config: Config, data: str | Path, *, exclude: tuple[str, ...] = ()) -> str:
    """The report of a dry run on this machine's devices.

    Args:
      config: the training's configuration.
      data: a folder of videos and photographs.
      exclude: parts of the names of files to leave out.

    Raises:
      ConfigError: the batch cannot be split over the devices, or a step does not fit their memory.
      DataError: no such folder, or no data in it.
    """
    sharding.check_batch(config.data.batch, config.train.accumulate)
    files = cache.find_footage(data, exclude=exclude)
    definition, state = initial(config.train)
    compiled = _compile(config, definition, state)
    cost = _cost(config, definition, state, compiled)
    _check_memory(cost)
    frames = config.data.batch // jax.device_count() * config.data.frames
    lines = [
        *_configuration(config),
        f"data: {len(files)} files in {data}",
        f"parameters: {count_parameters(state.params):,}",
        f"devices: {jax.device_count()} × {jax.devices()[0].device_kind} in {jax.process_count()} processes",
        *_layout(config, compiled),
        "each step, on each device:",
        f"  {cost.flops:.3g} FLOPs, {cost.bytes:.3g} bytes moved",
        f"  {frames} frames: {cost.flops / frames:.3g} FLOPs and {cost.bytes / frames:.3g} bytes each",
        f"  {_megabytes(cost.activations)} of activations, {_megabytes(cost.memory)} of memory in all",
        "upper bounds by the roofline model, for one chip with this batch (images are frames of a training clip):",
        *(f"  {name:17} {_upper_bound(config, cost, chip, frames)}" for name, chip in CHIPS.items()),
    ]
    return "\n".join(lines)


def _compile(config: Config, definition: nnx.GraphDef, state: State) -> Any:
    """The compiled step of a run, from shapes alone."""
    step = sharding.data_parallel(make_step(definition, config.train))
    clips = config.data.batch // jax.device_count()
    return step.lower(*_arguments(config, state, clips)).compile()


def _cost(config: Config, definition: nnx.GraphDef, state: State, compiled: Any) -> Cost:
    """The cost of a step.

    XLA counts the body of a loop once, so the arithmetic is that of a clip of one frame times the number of frames.
    That counts the optimiser with every frame, which is some tens of operations too many for each parameter.
    """
    data = dataclasses.replace(config.data, frames=1)
    one = Config(data=data, train=dataclasses.replace(config.train, unroll=1, accumulate=1))
    frame = _compile(one, definition, state).cost_analysis()
    memory = compiled.memory_analysis()
    kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Cost(
        frame["flops"] * config.data.frames,
        frame["bytes accessed"] * config.data.frames,
        memory.temp_size_in_bytes,
        kept + memory.temp_size_in_bytes,
    )


def _arguments(config: Config, state: State, clips: int) -> tuple[State, Any]:
    """Shapes and dtypes of the step's arguments."""
    devices = jax.local_device_count()

    def stacked(*before: int):
        return lambda leaf: jax.ShapeDtypeStruct((devices, *before, *leaf.shape), jnp.result_type(leaf))

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


def _layout(config: Config, compiled: Any) -> list[str]:
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
    return f"{frames / max(computing, moving):12,.0f} images/s, limited by {limit}{fits}"


def _megabytes(count: float | int) -> str:
    return f"{count / 1e6:,.1f} MB"
