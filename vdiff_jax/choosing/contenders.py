"""The contenders: this package's networks and FFmpeg's filters, each run on a trial clip."""

import time
from collections.abc import Callable
from typing import NamedTuple

from vdiff_jax import media
from vdiff_jax.choosing.trial import Trial
from vdiff_jax.media.filters import FilterChain, apply_filters, has_filter
from vdiff_jax.restoration.pipeline import repair

NETWORKS = ("base", "fast")


class Result(NamedTuple):
    """A contender's result.

    Attributes:
      name: the name of the weights or of the filter.
      command: the command line that runs it on the whole video.
      psnr: in dB, on the trial clip.
      seconds: the time for one frame of the video.
    """

    name: str
    command: str
    psnr: float
    seconds: float


def _nlmeans(trial: Trial) -> FilterChain:
    weak = trial.sigma < 20
    strength = max(1.0, (0.25 if weak else 0.4) * trial.sigma)
    return [("format", "pix_fmts=yuv444p"), ("nlmeans", f"s={strength:.3g}:p={3 if weak else 5}:r=11")]


def _dctdnoiz(trial: Trial) -> FilterChain:
    sigma = trial.sigma * (0.9 if trial.sigma < 20 else 1)
    return [("format", "pix_fmts=rgb24"), ("dctdnoiz", f"sigma={sigma:.3g}:n=4")]


def _deblock(trial: Trial) -> FilterChain:
    return [("deblock", "filter=strong:block=8:alpha=0.0245:beta=0.0125:gamma=0.0125:delta=0.0125")]


FILTERS: dict[str, dict[str, Callable[[Trial], FilterChain]]] = {
    "denoise": {"nlmeans": _nlmeans, "dctdnoiz": _dctdnoiz},
    "deblock": {"deblock": _deblock},
}


def run_contenders(trial: Trial, source: str) -> list[Result]:
    """Every contender's result on the trial clip, the best first; `source` is the video in their commands."""
    results = [_run_network(name, trial, source) for name in NETWORKS]
    filters = FILTERS[trial.task].items()
    results += [_run_filter(name, chain(trial), trial, source) for name, chain in filters if has_filter(name)]
    return sorted(results, key=lambda result: -result.psnr)


def _run_network(weights: str, trial: Trial, source: str) -> Result:
    """Repairs the clip from file to file, as a user would. Start and compilation are not counted."""
    repaired = trial.damaged.with_name(f"{weights}.mkv")
    sigma = trial.sigma if trial.task == "denoise" else None
    report = repair(trial.damaged, repaired, task=trial.task, sigma=sigma, weights=weights, codec="ffv1")
    with media.open_reader(repaired) as reader:
        psnr = trial.psnr(reader, reader.info.pixels)
    command = f"python -m vdiff_jax.infer repair {source} -o OUT --task {trial.task} --weights {weights}"
    return Result(weights, command, psnr, trial.area_ratio / report["frames_per_second"])


def _run_filter(name: str, chain: FilterChain, trial: Trial, source: str) -> Result:
    with media.open_reader(trial.damaged) as reader:
        frames, pixels = list(reader), reader.info.pixels
    begun = time.monotonic()
    repaired = apply_filters(frames, pixels, chain)
    seconds = (time.monotonic() - begun) / len(repaired)
    graph = ",".join(f"{each}={options}" for each, options in chain)
    command = f"ffmpeg -i {source} -vf {graph} OUT"
    return Result(name, command, trial.psnr(repaired, pixels), trial.area_ratio * seconds)
