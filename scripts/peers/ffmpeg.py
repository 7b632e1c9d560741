"""Filters of FFmpeg (PyPI imageio-ffmpeg), with the best settings that `sweep_filters.py` found."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np
from benchmarking import streams
from benchmarking.problems import Problem
from benchmarking.streams import run_filter

from peers.peer import Restored, missing_modules
from vdiff_jax.runtime.peak_memory import peak_memory_bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class FFmpegPeer:
    """What all of FFmpeg's filters share."""

    source: str = "PyPI imageio-ffmpeg"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(["imageio_ffmpeg"])

    def _restored(self, frames: np.ndarray, seconds: float, count: int) -> Restored:
        """The result whose frames took `seconds` without start-up, in which `count` frames were filtered."""
        return Restored(
            frames=frames,
            numbers=list(range(len(frames))),
            seconds_per_frame=max(seconds, 0.0) / max(count, 1),
            peak_memory_bytes=peak_memory_bytes(children=True),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Filter(FFmpegPeer):
    """A denoiser. `settings` returns the filter graph for a sigma in 8-bit units."""

    name: str
    settings: Callable[[float], str]
    task: str = "denoise"

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Pipes the frames through the filter. FFmpeg's start-up, timed on one frame, is subtracted."""
        frames = problem.frames()
        graph = self.settings(problem.sigma)
        start_up = _start_up(graph, frames[:1])
        results, seconds = run_filter(graph, frames)
        if seconds < 2:
            seconds = min(seconds, run_filter(graph, frames)[1])
        return self._restored(results, seconds - start_up, len(frames) - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deblocker(FFmpegPeer):
    """A deblocking filter. `settings` returns the filter graph for x264's crf."""

    name: str
    settings: Callable[[float], str]
    task: str = "deblock"

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Decodes the stream through the filter, which reads the quantisers. Decoding's own time is subtracted."""
        shape = problem.clean().shape
        _, decoding = _timed(problem, shape, "null")
        frames, seconds = _timed(problem, shape, self.settings(float(problem.variant)))
        return self._restored(frames, seconds - decoding, len(frames))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delogo(FFmpegPeer):
    """The filter for a rectangle that does not move."""

    name: str = "delogo"
    task: str = "inpaint"
    variants: tuple[str, ...] = ("logo",)

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Fills the rectangle around the first mask. Pixels outside it, which rounding changes, are restored."""
        mask, frames = problem.masks()[0], problem.frames()
        graph = delogo_graph(mask)
        start_up = _start_up(graph, frames[:1])
        results, seconds = run_filter(graph, frames)
        return self._restored(np.where(mask[..., None], results, frames), seconds - start_up, len(frames) - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Minterpolate(FFmpegPeer):
    """Motion-compensated interpolation: overlapped blocks, motion searched in both directions."""

    name: str = "minterpolate"
    task: str = "interpolate"

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Interpolates between the given frames.

        The filter looks three frames ahead, so the last frame is repeated. Given frames, which its 4:2:0 changes, are
        restored.
        """
        frames, count = problem.frames(), len(problem.clean())
        start_up = _start_up(MINTERPOLATE, frames[:2])
        results, seconds = run_filter(MINTERPOLATE, frames)
        results = results[:count].copy()
        results[::2] = frames
        return self._restored(results, seconds - start_up, count - 2)


def delogo_graph(mask: np.ndarray) -> str:
    """The filter graph that fills the rectangle around a mask `h w`."""
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    return f"format=gbrp,delogo=x={left}:y={top}:w={right - left + 1}:h={bottom - top + 1}"


def _timed(problem: Problem, shape: tuple[int, ...], graph: str) -> tuple[np.ndarray, float]:
    begun = time.perf_counter()
    return streams.decode(problem.stream, shape, graph), time.perf_counter() - begun


def _start_up(graph: str, frames: np.ndarray) -> float:
    """The shorter of two runs over a few frames, in seconds."""
    return min(run_filter(graph, frames)[1] for _ in range(2))


def _hqdn3d(sigma: float) -> str:
    spatial, temporal, chroma = 2.0 * sigma, (0.5 if sigma < 40 else 0.3) * sigma, 1.2
    return f"format=yuv444p,hqdn3d={spatial:g}:{chroma * spatial:g}:{temporal:g}:{chroma * temporal:g}"


def _vaguedenoiser(sigma: float) -> str:
    return f"format=yuv444p,vaguedenoiser=threshold={1.5 * sigma:g}:method=2:percent={85 if sigma < 20 else 100}"


def _nlmeans(sigma: float) -> str:
    strength = np.interp(sigma, [10, 25, 50], [2.5, 7.5, 20])
    return f"format=yuv444p,nlmeans=s={strength:g}:p={3 if sigma < 20 else 5}:r=11"


def _dctdnoiz(sigma: float) -> str:
    return f"format=rgb24,dctdnoiz=sigma={0.9 * sigma if sigma < 20 else sigma:g}:n=4"


MINTERPOLATE = "format=yuv444p,tpad=stop=3:stop_mode=clone,minterpolate=fps=50:scd=none:mi_mode=mci:me_mode=bidir"
MINTERPOLATE += ":me=epzs:mc_mode=aobmc:vsbmc=1:mb_size=16:search_param=64"
_GENTLE = "alpha=0.0245:beta=0.0125:gamma=0.0125:delta=0.0125"

PEERS = [
    Delogo(),
    Minterpolate(),
    Filter(name="hqdn3d", settings=_hqdn3d),
    Filter(name="vaguedenoiser", settings=_vaguedenoiser),
    Filter(name="nlmeans", settings=_nlmeans),
    Filter(name="dctdnoiz", settings=_dctdnoiz),
    Deblocker(name="spp", settings=lambda crf: "spp=quality=6:qp=4"),
    Deblocker(name="fspp", settings=lambda crf: "fspp=quality=5:qp=2"),
    Deblocker(name="deblock", settings=lambda crf: f"deblock=filter=strong:block=8:{_GENTLE}"),
]
