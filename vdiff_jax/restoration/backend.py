"""Chooses what runs the network: JAX, or ONNX Runtime if it is installed and clearly faster."""

import dataclasses
import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

from vdiff_jax.errors import MissingError, OptionError, WeightsError
from vdiff_jax.exporting.runtime import onnx_runtime
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.caches import cache_folder
from vdiff_jax.runtime.cores import available_cores
from vdiff_jax.runtime.version import __version__
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.video import ChunkInputs
from vdiff_jax.weights import Weights, save

log = logging.getLogger(__name__)

BACKENDS = ("auto", "jax", "onnx")
LONG = 500_000_000
"""Only for videos of at least this many pixels, all frames together, are the backends measured."""
_SIZE = (360, 640)
_ROUNDS = 3
_WORTH_IT = 0.9
"""ONNX Runtime takes about a third more memory: it has to save a tenth of the time."""
_LONGEST_MEASUREMENT = 300
"""Seconds."""
_MEASURE = """
import json, sys
from vdiff_jax.restoration.backend import measure
from vdiff_jax.weights import load
print(json.dumps(measure(load(sys.argv[1]), tuple(map(int, sys.argv[2:])))))
"""


def check_backend(backend: str) -> None:
    """Raises OptionError for an unknown backend, MissingError for one that is not installed."""
    if backend not in BACKENDS:
        raise OptionError(f"unknown backend {backend}: pass one of {', '.join(BACKENDS)}")
    if backend == "onnx":
        onnx_runtime()


def backend_for(backend: str, network: Weights, pixels: int | None) -> str:
    """The backend that runs the network, "jax" or "onnx".

    Args:
      backend: one of `BACKENDS`. "auto" takes JAX for videos that are short or of unknown length, else what
        `faster` finds.
      network: the network.
      pixels: of the video, all frames together; `None` if that is not known.

    Raises:
      OptionError: `backend` is "onnx", but JAX uses another device than the processor.
      MissingError: `backend` is "onnx", but ONNX Runtime is not installed or too old.
      WeightsError: `backend` is "onnx", but the network has several V-cycles a frame.
    """
    on_cpu, several = jax.default_backend() == "cpu", network.config.steps != 1
    if backend == "onnx":
        onnx_runtime()
        if not on_cpu:
            raise OptionError(
                f"--backend onnx runs on the processor, but JAX runs on {jax.default_backend()} here: "
                "pass --backend jax, or set JAX_PLATFORMS=cpu"
            )
        if several:
            raise WeightsError(
                f"these weights have {network.config.steps} V-cycles a frame: "
                "--backend onnx takes networks with one, pass --backend jax"
            )
    if backend != "auto":
        return backend
    if not on_cpu or several or pixels is None or pixels < LONG:
        return "jax"
    try:
        onnx_runtime()
    except MissingError:
        return "jax"
    return faster(network)


def faster(network: Weights) -> str:
    """ONNX Runtime if it is clearly faster on this machine: measured once, and remembered in the cache folder."""
    file = cache_folder() / "backends" / f"{_identity(network)}.json"
    try:
        remembered = json.loads(file.read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        remembered = None
    if remembered in ("jax", "onnx"):
        return remembered
    log.info("measuring once whether JAX or ONNX Runtime is faster on this machine")
    try:
        seconds = measured_apart(network)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.info("they could not be measured, so JAX is used: %s", error)
        return "jax"
    best = "onnx" if seconds["onnx"] < _WORTH_IT * seconds["jax"] else "jax"
    log.info("a frame takes %.3f s in JAX and %.3f s in ONNX Runtime", seconds["jax"], seconds["onnx"])
    _remember(file, {"backend": best, "seconds": seconds})
    return best


def measured_apart(network: Weights, size: tuple[int, int] = _SIZE) -> dict[str, float]:
    """What `measure` finds, in a process of its own, because both backends together take much memory.

    Args:
      network: the network.
      size: height and width of the frames.

    Raises:
      OSError, SubprocessError, ValueError: the process could not run.
    """
    with tempfile.TemporaryDirectory(prefix="vdiff_jax-") as folder:
        file = Path(folder) / "network.safetensors"
        save(file, network.config, network.params, {})
        run = [sys.executable, "-c", _MEASURE, str(file), *map(str, size)]
        done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=_LONGEST_MEASUREMENT)
    return {backend: float(seconds) for backend, seconds in json.loads(done.stdout).items()}


def measure(network: Weights, size: tuple[int, int]) -> dict[str, float]:
    """Seconds for a frame on each backend; the best of a few rounds, in which the backends take turns."""
    conversion = SameSize(PixelFormat(kind="rgb", full_range=True), size)
    restorers = {
        backend: Restorer(network, conversion, lambda quantisers: np.zeros((len(quantisers), 3)), backend=backend)
        for backend in ("jax", "onnx")
    }
    count = restorers["jax"].frames
    inputs = _noise(count, size)
    best = dict.fromkeys(restorers, float("inf"))
    for number in range(_ROUNDS + 1):
        for backend, restorer in restorers.items():
            begun = time.perf_counter()
            restorer.advance(restorer.start(), inputs, count)
            if number:  # the first round compiles
                best[backend] = min(best[backend], (time.perf_counter() - begun) / count)
    return best


def _noise(count: int, size: tuple[int, int]) -> ChunkInputs:
    """A chunk of noisy frames and the frame after it."""
    rng = np.random.default_rng(0)
    return ChunkInputs(
        planes=tuple(rng.integers(0, 256, (count + 1, *size), np.uint8) for _ in range(3)),
        valid=np.ones(count + 1, np.float32),
        error=None,
        velocity=rng.normal(size=(count, size[0] // 4, size[1] // 4, 4)).astype(np.float32),
        time=np.arange(count + 1, dtype=np.float32),
        sigma=np.full((count + 1, 3), 0.1, np.float32),
    )


def _identity(network: Weights) -> str:
    """A name for what the measurement depends on: the network's size, the versions and the cores."""
    parts = {
        "network": dataclasses.asdict(network.config),
        "versions": [__version__, *(version(name) for name in ("jax", "jaxlib", "onnxruntime"))],
        "cores": available_cores(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _remember(file: Path, found: dict) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        partial.write_text(json.dumps(found))
        partial.replace(file)
    except OSError as error:
        log.info("the measurement is not remembered: %s", error)
