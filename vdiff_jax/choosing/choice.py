"""What a video needs, and which algorithm does it best on this machine: measured, not looked up."""

import itertools
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vdiff_jax import media
from vdiff_jax.choosing.contenders import Tried, contend
from vdiff_jax.choosing.trial import FRAMES, Trial, make_trial
from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.plan import LOSSLESS, make_plan
from vdiff_jax.stream.flow import FlowFrame, MotionMeter
from vdiff_jax.stream.references import has_colours
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.sigma import measure_coding, measure_sigma, sigma_in_rgb
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request

ALIKE, _PART = 0.2, 0.25
"""A difference in dB that nobody sees, and at most this part of the best one's gain: of those that near the best, the
fastest is taken."""
PATIENCE = 30.0
"""How many times a video's length it may take, and ten minutes in any case, before a faster one is taken."""
_AT_LEAST = 600.0


def choose(source: str | Path) -> dict[str, Any]:
    """Measures a video, and tries out on a part of it what would repair it.

    Returns:
      `measures` of the video; `machine`; `task`, and why; `trial`, what was tried on; `tried`, the contenders with PSNR
      in dB, `gain` over the damaged video and seconds, the best first; `choice`, one's name, `command` and `why`. No
      task, trial or choice where the video is clean or too small to be tried on.

    Raises:
      InputError: no video.
    """
    begun = time.monotonic()
    if str(source) == "-":
        raise InputError("stdin can be read only once: choose wants a file")
    with media.open_reader(source) as reader:
        info, frames = reader.info, list(itertools.islice(reader, FRAMES))
    plan = make_plan("auto", Request(frames=frames, pixels=info.pixels, codec=info.codec))
    report: dict[str, Any] = {"input": str(source), "measures": measures(info, frames), "machine": machine()}
    report |= {"task": plan.tasks[0] if plan.tasks else None, "why": plan.why, "trial": None, "tried": []}
    report |= {"choice": None}
    if plan.tasks:
        report |= _chosen(info, frames, plan, str(source))
    report["seconds"] = round(time.monotonic() - begun, 3)
    return report


def measures(info: media.VideoInfo, frames: list[Frame]) -> dict[str, Any]:
    """What is known of a video, and what its first frames tell."""
    sigma = sigma_in_rgb(measure_sigma(frames, info.pixels), info.pixels)
    coding = None if info.codec in LOSSLESS else measure_coding(frames, info.pixels, info.codec)
    told = [frame.quantiser for frame in frames if frame.quantiser is not None]
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
        "quantiser": round(float(np.mean(told)), 1) if told else None,
        "motion": _motion(frames, info.pixels),
    }


def machine() -> dict[str, Any]:
    """What it would run on."""
    devices = jax.local_devices()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"device": devices[0].device_kind, "devices": len(devices), "cores": cores}


def taken(tried: Sequence[Tried], before: float, frames: int | None, rate: float) -> tuple[Tried | None, str]:
    """The contender that fits, and why; `None` where none gains anything.

    Args:
      tried: the contenders, the best first.
      before: the PSNR of what they were given.
      frames: of the video, where that is known.
      rate: frames a second.
    """
    patience = max(_AT_LEAST, PATIENCE * (frames or 0) / rate)
    gaining = [each for each in tried if each.psnr > before]
    if not gaining:
        return None, "nothing that was tried makes it better"
    in_time = [each for each in gaining if each.seconds * (frames or 0) <= patience]
    late = f"would take longer than {patience / 60:.0f} minutes"
    if not in_time:
        return min(gaining, key=lambda each: each.seconds), f"the fastest: all {late}"
    best = in_time[0]
    least = best.psnr - min(ALIKE, _PART * (best.psnr - before))
    choice = min((each for each in in_time if each.psnr >= least), key=lambda each: each.seconds)
    why = "the best here" if choice is best else f"within {best.psnr - choice.psnr:.2f} dB of {best.name}, and faster"
    return choice, why if best is gaining[0] else f"{why}; {gaining[0].name} {late}"


def _chosen(info: media.VideoInfo, frames: list[Frame], plan: Plan, source: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = make_trial(frames, info.pixels, plan, Path(folder))
        except OptionError as error:
            return {"why": f"{plan.why}; nothing was tried: {error}"}
        with media.open_reader(trial.given) as reader:
            before = trial.psnr(reader, reader.info.pixels)
        tried = contend(trial, shlex.quote(source))
    choice, why = taken(tried, before, info.frames, float(info.rate))
    return {
        "trial": _described(trial, before),
        "tried": [_figures(each, before, info.frames) for each in tried],
        "choice": choice and {"name": choice.name, "command": choice.command, "why": why},
        **({} if choice else {"why": f"{plan.why}; {why}"}),
    }


def _described(trial: Trial, before: float) -> dict[str, Any]:
    height, width = trial.size
    return {
        "frames": len(trial.truth),
        "width": width,
        "height": height,
        "damage": trial.damage,
        "psnr": round(before, 2),
    }


def _figures(tried: Tried, before: float, frames: int | None) -> dict[str, Any]:
    whole = None if frames is None else round(tried.seconds * frames, 1)
    return {
        "name": tried.name,
        "psnr": round(tried.psnr, 2),
        "gain": round(tried.psnr - before, 2),
        "seconds_per_frame": round(tried.seconds, 4),
        "seconds": whole,
        "command": tried.command,
    }


def _motion(frames: Sequence[Frame], pixels: PixelFormat) -> float | None:
    """The mean displacement between frames, in pixels."""
    if len(frames) < 2:
        return None
    seen = [FlowFrame.from_luma(luma_of(frame, pixels), time=number) for number, frame in enumerate(frames)]
    meter = MotionMeter()
    fields = [meter.displacement(*pair) for pair in itertools.pairwise(seen)]
    return round(float(np.mean([np.linalg.norm(field, axis=-1).mean() for field in fields])), 2)
