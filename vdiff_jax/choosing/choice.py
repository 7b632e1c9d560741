"""Chooses the algorithm for a video: measures the video, runs the contenders on a trial clip, and compares them."""

import itertools
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vdiff_jax import media
from vdiff_jax.choosing.contenders import Result, run_contenders
from vdiff_jax.choosing.trial import FRAMES, Trial, make_trial
from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.plan import LOSSLESS, make_plan
from vdiff_jax.runtime.cores import available_cores
from vdiff_jax.runtime.temporary import temporary_folder
from vdiff_jax.runtime.warning_log import reports_warnings
from vdiff_jax.stream.flow import FlowFrame, MotionMeter
from vdiff_jax.stream.references import has_colours
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.sigma import measure_coding, measure_sigma, sigma_in_rgb
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request

EQUAL_DB, EQUAL_SHARE = 0.2, 0.25
"""Contenders within 0.2 dB of the best, or a quarter of its gain if that is less, count as equal; the fastest wins."""
SLOWEST, _ALWAYS_ALLOWED = 30.0, 600.0
"""A contender may take 30 times the video's duration, or 600 seconds if that is more."""


@reports_warnings
def choose(source: str | Path) -> dict[str, Any]:
    """Measures a video, runs every contender on a trial clip made of its frames, and chooses one.

    Args:
      source: a file, or a folder or glob of pictures.

    Returns:
      A report: `measures` of the video, `machine`, `task`, `why` that task, `trial` (the trial clip), `tried`, `choice`
      (`name`, `command` and `why`) and `seconds`. `tried` lists the contenders, the best first, with PSNR in dB, `gain`
      over the damaged clip, and seconds. If the video is clean or too small, `trial` and `choice` are None.

    Raises:
      InputError: the source can't be read as a video.
    """
    begun = time.monotonic()
    if str(source) == "-":
        raise InputError("stdin can be read only once, and choose reads twice: pass a file")
    with media.open_reader(source) as reader:
        info, frames = reader.info, list(itertools.islice(reader, FRAMES))
    plan = make_plan("auto", Request(frames=frames, pixels=info.pixels, codec=info.codec))
    report: dict[str, Any] = {"input": str(source), "measures": measures(info, frames), "machine": machine()}
    report |= {"task": plan.tasks[0] if plan.tasks else None, "why": plan.why, "trial": None, "tried": []}
    report |= {"choice": None}
    if plan.tasks:
        report |= _compared(info, frames, plan, str(source))
    report["seconds"] = round(time.monotonic() - begun, 3)
    return report


def measures(info: media.VideoInfo, frames: list[Frame]) -> dict[str, Any]:
    """The properties of a video, and measurements of its first frames, for the report."""
    sigma = sigma_in_rgb(measure_sigma(frames, info.pixels), info.pixels)
    coding = None if info.codec in LOSSLESS else measure_coding(frames, info.pixels, info.codec)
    quantisers = [frame.quantiser for frame in frames if frame.quantiser is not None]
    return {
        "width": info.width,
        "height": info.height,
        "frames": info.frames,
        "frames_per_second": round(float(info.rate), 3),
        "codec": info.codec or None,
        "pixels": info.pixels.name,
        "interlaced": info.interlaced,
        "coloured": has_colours(frames, info.pixels),
        "sigma": round(sigma, 2),
        "coding_error": None if coding is None else round(255 * float(coding.sigma[0]), 2),
        "quantiser": round(float(np.mean(quantisers)), 1) if quantisers else None,
        "motion": _motion(frames, info.pixels),
    }


def machine() -> dict[str, Any]:
    """The device, the number of devices and of CPU cores, for the report."""
    devices = jax.local_devices()
    return {"device": devices[0].device_kind, "devices": len(devices), "cores": available_cores()}


def pick(results: Sequence[Result], before: float, frames: int | None, rate: float) -> tuple[Result | None, str]:
    """The contender to use, and why; None if no contender improves the clip.

    Args:
      results: the contenders' results, the best first.
      before: the PSNR in dB of the damaged clip.
      frames: how many frames the video has; None if unknown.
      rate: frames a second.
    """
    limit = max(_ALWAYS_ALLOWED, SLOWEST * (frames or 0) / rate)
    better = [result for result in results if result.psnr > before]
    if not better:
        return None, "no contender improves the trial clip"
    in_time = [result for result in better if result.seconds * (frames or 0) <= limit]
    too_slow = f"would take longer than {limit / 60:.0f} minutes"
    if not in_time:
        return min(better, key=lambda result: result.seconds), f"the fastest: all {too_slow}"
    best = in_time[0]
    least = best.psnr - min(EQUAL_DB, EQUAL_SHARE * (best.psnr - before))
    choice = min((result for result in in_time if result.psnr >= least), key=lambda result: result.seconds)
    why = "the best here" if choice is best else f"within {best.psnr - choice.psnr:.2f} dB of {best.name}, and faster"
    return choice, why if best is better[0] else f"{why}; {better[0].name} {too_slow}"


def _compared(info: media.VideoInfo, frames: list[Frame], plan: Plan, source: str) -> dict[str, Any]:
    """The report's entries about the trial: made, run and decided."""
    with temporary_folder() as folder:
        try:
            trial = make_trial(frames, info.pixels, plan, Path(folder))
        except OptionError as error:
            return {"why": f"{plan.why}; no contender was tried: {error}"}
        with media.open_reader(trial.damaged) as reader:
            before = trial.psnr(reader, reader.info.pixels)
        results = run_contenders(trial, shlex.quote(source))
    choice, why = pick(results, before, info.frames, float(info.rate))
    return {
        "trial": _trial_entry(trial, before),
        "tried": [_result_entry(result, before, info.frames) for result in results],
        "choice": choice and {"name": choice.name, "command": choice.command, "why": why},
        **({} if choice else {"why": f"{plan.why}; {why}"}),
    }


def _trial_entry(trial: Trial, before: float) -> dict[str, Any]:
    height, width = trial.size
    return {
        "frames": len(trial.clean),
        "width": width,
        "height": height,
        "damage": trial.description,
        "psnr": round(before, 2),
    }


def _result_entry(result: Result, before: float, frames: int | None) -> dict[str, Any]:
    whole = None if frames is None else round(result.seconds * frames, 1)
    return {
        "name": result.name,
        "psnr": round(result.psnr, 2),
        "gain": round(result.psnr - before, 2),
        "seconds_per_frame": round(result.seconds, 4),
        "seconds": whole,
        "command": result.command,
    }


def _motion(frames: Sequence[Frame], pixels: PixelFormat) -> float | None:
    """The mean length of the optical flow between frames, in pixels; None for a single frame."""
    if len(frames) < 2:
        return None
    seen = [FlowFrame.from_luma(luma_of(frame, pixels), time=number) for number, frame in enumerate(frames)]
    meter = MotionMeter()
    fields = [meter.displacement(*pair) for pair in itertools.pairwise(seen)]
    return round(float(np.mean([np.linalg.norm(field, axis=-1).mean() for field in fields])), 2)
