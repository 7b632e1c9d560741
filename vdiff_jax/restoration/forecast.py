"""`--plan`: what a repair would do, and estimates of its time and of its output's size."""

import logging
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.output import output_info
from vdiff_jax.restoration.pipeline import copies, repair
from vdiff_jax.restoration.video import opened, plan_for
from vdiff_jax.restoration.words import plan_text
from vdiff_jax.runtime.progress import Listener
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.temporary import temporary_folder

log = logging.getLogger(__name__)

_PIXELS, _FRAMES = 16_000_000, 8
"""The most pixels and frames of a chunk. Three chunks are repaired for the estimate."""


def forecast(source: str | Path, target: str | Path, **options: Any) -> dict[str, Any]:
    """The plan of a repair, and its estimated time and size; nothing is written.

    The estimate comes from the repair of the first frames into a temporary folder.

    Args:
      source, target, options: as `pipeline.repair` takes them.

    Returns:
      `plan`; `text`, the plan in words; `frames`, the output's number of frames; and the estimates `seconds`,
      `compile_seconds` (which later runs save), `frames_per_second` and `bytes`. An unknown value is `None`, as for
      stdin. `copied` is present, and True, if the file would be copied.

    Raises:
      VdiffError: as `pipeline.repair`.
    """
    chosen = Options(**options)
    with opened(source, chosen, Stopwatch()) as video:
        plan = plan_for(video, chosen)
        info = output_info(video.info, plan, video.lead)
        count, rate, pixels = info.frames, video.info.rate, info.width * info.height
        copied = not plan.tasks and copies(source, target, chosen)
        text = plan_text(video.info, info, plan)
    made = {"plan": plan.report(), "text": text, "frames": count}
    unknown = {"seconds": None, "compile_seconds": None, "frames_per_second": None, "bytes": None}
    if copied:
        return made | unknown | {"copied": True, "seconds": 0.0, "bytes": os.path.getsize(source)}
    if str(source) == "-":
        return made | unknown
    tried = 3 * int(np.clip(_PIXELS // pixels, 2, _FRAMES))
    return made | unknown | _tried(source, target, chosen, options, count, Fraction(tried) / rate)


class _Times(Listener):
    """Notes when each frame was done."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, frames: int) -> None:
        self.seconds.append(time.monotonic())


def _tried(
    source: str | Path, target: str | Path, chosen: Options, options: dict, count: int | None, length: Fraction
) -> dict[str, Any]:
    """The estimate, from repairing the first `length` seconds."""
    log.info("repairing the first frames to estimate the time")
    stop = float((chosen.start or 0) + length)
    stop = stop if chosen.stop is None else min(stop, chosen.stop)
    times = _Times()
    with temporary_folder() as folder:
        sample = f"{folder}/tried" + ("/" if media.is_folder_target(target) else Path(target).suffix or ".mp4")
        report = repair(source, sample, progress=times, **options | {"stop": stop, "resume": False, "plan": False})
        first = len(times.seconds) // 3
        seconds = max(times.seconds[-1] - times.seconds[first], 1e-6)
        speed = (len(times.seconds) - 1 - first) / seconds if report["plan"]["tasks"] else 0
        speed = speed or report["frames_per_second"]  # where nothing is restored, frames only wait for the encoder
        found = {"compile_seconds": report["compile_seconds"], "frames_per_second": round(speed, 3)}
        if count is None:
            return found
        began = report["compile_seconds"] + report["seconds"].get("load", 0.0)
        return found | {"seconds": round(began + count / speed, 2), "bytes": _bytes(sample, report["frames"], count)}


def _bytes(sample: str, tried: int, count: int) -> int:
    """The size of an output of `count` frames, from one with fewer."""
    path = Path(sample)
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir()) * count // tried
    size = path.stat().st_size
    packets = media.packet_sizes(sample) if path.suffix not in (".y4m", ".png") else []
    video = media.expected_bytes([packets], count) if packets else 0
    return video + (size - sum(packets)) * count // tried
