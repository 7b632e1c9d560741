"""Checks this machine's GPU, TPU or processor: are results right, how fast is it? One table in under eight minutes.

    python scripts/device_check.py [--weights fast,base] [--sizes 640x360,1280x720,1920x1080] [--json OUT.json]

- agreement: the largest difference to the processor's result, of a small noisy clip in float32. More than 1e-3 fails.
- repair: frames a second of the network alone, compiled, with frames copied to the device and back.
- training: steps a second of a configuration, without reading data.
- peak memory: of the device; of the process, where the device is the processor.

Checks that do not fit the time are left out and named. The exit code is 1 if results differ.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from benchmarking.arguments import new_parser, words

import vdiff_jax
from vdiff_jax import config as configuration
from vdiff_jax import sample, weights
from vdiff_jax.errors import VdiffError
from vdiff_jax.media import open_reader
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.caches import use_compilation_cache
from vdiff_jax.runtime.peak_memory import peak_memory_bytes
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.video import ChunkInputs
from vdiff_jax.training.dry_run import step_seconds

LARGEST = 1e-3
"""The largest difference between the device's and the processor's result, in [0, 1]."""
Row = tuple[str, str, dict[str, Any]]


def main() -> None:
    """Checks and prints the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--weights", type=words, default=["fast", "base"], help="names or files (default: fast,base)")
    parser.add_argument(
        "--sizes",
        type=words,
        default=["640x360", "1280x720", "1920x1080"],
        help="frame sizes (default: 640x360,1280x720,1920x1080)",
    )
    parser.add_argument("--config", default="configs/base.toml", help="the training (default: configs/base.toml)")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="change the training (default: none)")
    parser.add_argument("--minutes", type=float, default=7.5, help="the time after which no row begins (default: 7.5)")
    parser.add_argument("--json", type=Path, help="also write the figures here (default: none)")
    options = parser.parse_args()
    use_compilation_cache()
    rows = table(options, time.monotonic() + 60 * options.minutes)
    if options.json:
        options.json.write_text(json.dumps({name: figures for name, _, figures in rows}, indent=2) + "\n")
    sys.exit(any(figures.get("difference", 0) > LARGEST for _, _, figures in rows))


def table(options: argparse.Namespace, deadline: float) -> list[Row]:
    """Measures and prints the rows as they come."""
    device = jax.devices()[0]
    print(f"vdiff_jax {vdiff_jax.__version__}, JAX {jax.__version__}: {jax.device_count()} × {device.device_kind}\n")
    print("| check | result |\n| --- | --- |")
    checks = [(f"agreement, `{name}`", lambda name=name: agreement(name)) for name in options.weights]
    for size in options.sizes:
        width, height = map(int, size.split("x"))
        for name in options.weights:
            checks.append((f"repair, `{name}`, {size}", lambda n=name, s=(height, width): repair_speed(n, s)))
        if size == options.sizes[0]:
            checks.append((f"training, `{options.config}`", lambda: training_speed(options.config, options.set)))
    rows: list[Row] = []
    for title, check in [*checks, ("peak memory", peak_memory)]:
        if time.monotonic() > deadline and title != "peak memory":
            text, figures = "left out: no time", {}
        else:
            try:
                text, figures = check()
            except (VdiffError, RuntimeError) as error:  # such as a size that does not fit the device
                text, figures = f"failed: {' '.join(str(error).split())[:160]}", {}
        print(f"| {title} | {text} |", flush=True)
        rows.append((title, text, figures))
    return rows


def agreement(name: str) -> tuple[str, dict[str, Any]]:
    """The largest difference between the device's and the processor's result."""
    with open_reader(sample.TRUTH) as reader:
        frames = [to_rgb(frame.planes, reader.info.pixels)[:96, :160] for frame, _ in zip(reader, range(8))]
    noise = np.random.default_rng(0).normal(0, 25 / 255, (8, 96, 160, 3))
    clip = (np.stack(frames) + noise).astype(np.float32)
    results = []
    for device in (jax.devices("cpu")[0], jax.devices()[0]):
        with jax.default_device(device):
            results.append(vdiff_jax.repair(clip, task="denoise", sigma=25, weights=name))
    difference = float(np.abs(results[0] - results[1]).max())
    verdict = "right" if difference <= LARGEST else f"WRONG: more than {LARGEST:g}"
    return f"{verdict}, largest difference {difference:.1e}", {"difference": difference}


def repair_speed(name: str, size: tuple[int, int]) -> tuple[str, dict[str, Any]]:
    """Frames a second of the network alone: the best of three chunks."""
    network = weights.load(name)
    restorer = Restorer(
        network,
        SameSize(PixelFormat(kind="yuv", subsampling=(2, 2)), size),
        lambda quantisers: np.full((len(quantisers), 3), 0.1),
    )
    count, (height, width), multiple = restorer.frames, size, restorer.multiple
    rng = np.random.default_rng(0)
    shapes = [(height, width), *[(-(-height // 2), -(-width // 2))] * 2]
    grid = [-(-side // multiple) * multiple // 4 for side in size]
    inputs = ChunkInputs(
        planes=tuple(rng.integers(16, 236, (count + 1, *shape), np.uint8) for shape in shapes),
        valid=np.ones(count + 1, np.float32),
        error=None,
        velocity=rng.normal(size=(count, *grid, 4)).astype(np.float32),
        time=np.arange(count + 1, dtype=np.float32),
        sigma=np.full((count + 1, 3), 0.1, np.float32),
    )
    carry, seconds = restorer.start(), []
    for _ in range(4):
        begun = time.perf_counter()
        carry, _ = restorer.advance(carry, inputs, count)
        jax.block_until_ready(carry)
        seconds.append(time.perf_counter() - begun)
    speed, compiling = count / min(seconds[1:]), seconds[0] - min(seconds[1:])
    return f"{speed:.3g} frames/s, compiled in {compiling:.0f} s", {"frames_per_second": speed, "compile": compiling}


def training_speed(name: str, changes: list[str]) -> tuple[str, dict[str, Any]]:
    """Steps a second of a training, with at least one clip on each device."""
    overrides = dict(change.split("=", 1) for change in changes)
    clips = configuration.load(name, overrides).data.batch
    overrides["data.batch"] = str(-(-clips // jax.device_count()) * jax.device_count())
    config = configuration.load(name, overrides)
    seconds = float(np.median(step_seconds(config)))
    frames = config.data.batch * config.data.frames / seconds
    text = f"{1 / seconds:.3g} steps/s, {frames:.3g} frames/s of clips of {config.data.patch}x{config.data.patch}"
    return text, {"steps_per_second": 1 / seconds, "frames_per_second": frames}


def peak_memory() -> tuple[str, dict[str, Any]]:
    """The largest memory in use so far."""
    peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    place = "process" if peak is None else "device"
    peak = peak_memory_bytes() if peak is None else peak
    return f"{peak / 1e9:.2f} GB ({place})", {"bytes": peak}


if __name__ == "__main__":
    main()
