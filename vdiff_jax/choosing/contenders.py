"""What may be chosen: this package's networks, and FFmpeg's filters."""

import time
from collections.abc import Callable
from typing import NamedTuple

from vdiff_jax import media
from vdiff_jax.choosing.trial import Trial
from vdiff_jax.media.filters import FilterChain, apply_filters, has_filter
from vdiff_jax.restoration.pipeline import repair

NETWORKS = ("base", "fast")


class Tried(NamedTuple):
    """How a contender did.

    Attributes:
      name: of the weights, or of the filter.
      command: what does it.
      psnr: in dB, on the trial.
      seconds: for a frame of the video.
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


def contend(trial: Trial, source: str) -> list[Tried]:
    """Every contender's result, the best first."""
    tried = [_by_network(name, trial, source) for name in NETWORKS]
    filters = FILTERS[trial.task].items()
    tried += [_by_filter(name, row(trial), trial, source) for name, row in filters if has_filter(name)]
    return sorted(tried, key=lambda each: -each.psnr)


def _by_network(weights: str, trial: Trial, source: str) -> Tried:
    """As a user would have it: from file to file, start and compilation apart."""
    made = trial.given.with_name(f"{weights}.mkv")
    sigma = trial.sigma if trial.task == "denoise" else None
    report = repair(trial.given, made, task=trial.task, sigma=sigma, weights=weights, codec="ffv1")
    with media.open_reader(made) as reader:
        found = trial.psnr(reader, reader.info.pixels)
    command = f"python -m vdiff_jax.infer repair {source} -o OUT --task {trial.task} --weights {weights}"
    return Tried(weights, command, found, trial.share / report["frames_per_second"])


def _by_filter(name: str, row: FilterChain, trial: Trial, source: str) -> Tried:
    with media.open_reader(trial.given) as reader:
        given, pixels = list(reader), reader.info.pixels
    begun = time.monotonic()
    shown = apply_filters(given, pixels, row)
    seconds = (time.monotonic() - begun) / len(shown)
    graph = ",".join(f"{each}={options}" for each, options in row)
    return Tried(name, f"ffmpeg -i {source} -vf {graph} OUT", trial.psnr(shown, pixels), trial.share * seconds)
