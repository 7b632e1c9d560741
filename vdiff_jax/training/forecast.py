"""A dry run: what a training step takes, by XLA's analysis of the compiled step, without training."""

import dataclasses
import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from vdiff_jax import sharding
from vdiff_jax.config import Config
from vdiff_jax.errors import ConfigError
from vdiff_jax.nn.network import count_parameters
from vdiff_jax.training import cache
from vdiff_jax.training.data import shapes
from vdiff_jax.training.step import State, initial, make_step


class Chip(NamedTuple):
    """A chip as its maker describes it: dense peaks in TFLOP/s, memory in GB/s and GB."""

    bfloat16: float
    float32: float
    bandwidth: float
    memory: float


# float32 is what JAX does for it by default: one bfloat16 pass on TPUs, TF32 on GPUs that have it.
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
    """What one step takes of one device."""

    flops: float
    bytes: float
    activations: int
    memory: int


def forecast(config: Config, data: str | Path, *, exclude: tuple[str, ...] = ()) -> str:
    """The report of a dry run on the devices that are there.

    Raises:
      ConfigError: the devices don't divide the batch, or a step doesn't fit their memory.
      DataError: no data.
    """
    sharding.check_batch(config.data.batch, config.train.accumulate)
    files = cache.find(data, exclude=exclude)
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
        *_shardings(config, compiled),
        "a step, each device:",
        f"  {cost.flops:.3g} FLOPs, {cost.bytes:.3g} bytes moved",
        f"  {frames} frames: {cost.flops / frames:.3g} FLOPs and {cost.bytes / frames:.3g} bytes each",
        f"  {_megabytes(cost.activations)} of activations, {_megabytes(cost.memory)} in all",
        "at most, by the roofline, of one chip with this batch (frames of the patch's size):",
        *(f"  {name:17} {_rate(config, cost, chip, frames)}" for name, chip in CHIPS.items()),
    ]
    return "\n".join(lines)


def _compile(config: Config, definition: nnx.GraphDef, state: State) -> Any:
    """The step as the run would compile it, from shapes alone."""
    step = sharding.data_parallel(make_step(definition, config.train))
    clips = config.data.batch // jax.device_count()
    return step.lower(*_arguments(config, state, clips)).compile()


def _cost(config: Config, definition: nnx.GraphDef, state: State, compiled: Any) -> Cost:
    """XLA counts what a loop does once, so a clip of one frame in one part says what each frame takes.

    The optimiser is counted for each frame so, which is too much by some tens of operations a parameter.
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
    devices = jax.local_device_count()

    def stacked(*before: int):
        return lambda leaf: jax.ShapeDtypeStruct((devices, *before, *leaf.shape), jnp.result_type(leaf))

    return jax.tree.map(stacked(), state), jax.tree.map(stacked(clips), shapes(config.data))


def _check_memory(cost: Cost) -> None:
    """Raises ConfigError where a step doesn't fit the memory of a device; CPU devices share the machine's."""
    device = jax.local_devices()[0]
    limit = (device.memory_stats() or {}).get("bytes_limit")
    if limit is None:
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // jax.local_device_count()
    if cost.memory > limit:
        raise ConfigError(
            f"a step takes {_megabytes(cost.memory)} of each {device.device_kind}, which has {_megabytes(limit)}: "
            "raise train.accumulate, set train.remat, or lower data.batch, data.frames or data.patch"
        )


def _configuration(config: Config) -> list[str]:
    sections = dataclasses.asdict(config).items()
    return [line for name, values in sections for line in (f"[{name}]", *(f"{k} = {v}" for k, v in values.items()))]


def _shardings(config: Config, compiled: Any) -> list[str]:
    state, batch = compiled.input_shardings[0]
    clips = config.data.batch // jax.device_count()
    return [
        f"state: {jax.tree.leaves(state)[0].spec}, a copy on each device",
        f"batch: {jax.tree.leaves(batch)[0].spec}, {clips} clips on each device, in {config.train.accumulate} parts",
    ]


def _rate(config: Config, cost: Cost, chip: Chip, frames: int) -> str:
    peak = getattr(chip, config.train.compute) * 1e12
    computing, moving = cost.flops / peak, cost.bytes / (chip.bandwidth * 1e9)
    bound = "FLOPs" if computing > moving else "memory's speed"
    fits = "" if cost.memory < chip.memory * 1e9 else f"; {chip.memory:.0f} GB are too few"
    return f"{frames / max(computing, moving):12,.0f} images/s, bound by {bound}{fits}"


def _megabytes(count: float | int) -> str:
    return f"{count / 1e6:,.1f} MB"
