"""Long runs of `repair`, whose memory, file handles, threads and speed must not change, and runs with large frames."""

import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from endurance.clips import write_clip
from endurance.commands import run

PARTS = 10
"""The run is measured after each of so many parts."""


class Mark(NamedTuple):
    """What this process has used, at a frame of the run.

    Attributes:
      wall, processor: seconds, by the clock and of the processor.
      memory, peak: MB that are in use, and the largest so far.
      handles: open files.
      threads: that run.
    """

    wall: float
    processor: float
    memory: int
    peak: int
    handles: int
    threads: int


def mark() -> Mark:
    """What this process uses now."""
    process = Path("/proc/self")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    memory, peak = (int(status[name].split()[0]) >> 10 for name in ("VmRSS", "VmHWM"))
    handles, threads = (len(os.listdir(process / name)) for name in ("fd", "task"))
    return Mark(time.monotonic(), time.process_time(), memory, peak, handles, threads)


def soak(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """Rows of the table: what the second and the last part of a long run of `repair` used.

    Args:
      folder: for the clip and the result.
      count: frames of the clip.
      size: their height and width.
    """
    import vdiff_jax

    clip, marks, early = folder / "soak.mkv", [], []
    write_clip(clip, count, size=size)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of what follows

    def note(frames: int) -> None:
        if frames == max(count // 100, 1):
            early.append(mark())
        if frames % (count // PARTS) == 0:
            marks.append(mark())
            print(f"{frames} frames: {marks[-1]}", file=sys.stderr, flush=True)

    vdiff_jax.repair(clip, folder / "soaked.mkv", task="denoise", sigma=8, weights="fast", progress=note)
    frames, part = f"{count} of {size[1]}x{size[0]}", count / PARTS
    (first, second), (before, last) = marks[:2], marks[-2:]
    speeds = [
        [part / (b.wall - a.wall), part / (b.processor - a.processor)] for a, b in [(first, second), (before, last)]
    ]
    return [
        f"| soak: peak memory of a hundredth of it, and of all, MB | {frames} | {early[0].peak} then {last.peak} |",
        f"| soak: memory, MB | {frames} | {second.memory} then {last.memory} |",
        f"| soak: file handles | {frames} | {second.handles} then {last.handles} |",
        f"| soak: threads | {frames} | {second.threads} then {last.threads} |",
        f"| soak: frames/s | {frames} | {speeds[0][0]:.2f} then {speeds[1][0]:.2f} |",
        f"| soak: frames per second of processor time | {frames} | {speeds[0][1]:.3f} then {speeds[1][1]:.3f} |",
    ]


def peak_memory(folder: Path, count: int, size: tuple[int, int]) -> list[str]:
    """The row of the table: the peak memory of `repair` for 100 frames and for more, each in a process of its own.

    Both run in JAX. By default, a longer video may run in ONNX Runtime, which takes more memory.
    """
    peaks = [_peak(folder, frames, size, "--backend", "jax") for frames in (100, count)]
    more = 100 * (peaks[1] / peaks[0] - 1)
    return [
        f"| peak memory, MB | 100 and {count} frames of {size[1]}x{size[0]} | "
        f"{peaks[0] >> 20} and {peaks[1] >> 20} ({more:+.1f} %) |"
    ]


def large_frames(folder: Path, size: tuple[int, int], memory: str) -> list[str]:
    """The row of the table: the peak memory of `repair` for four large frames with `--memory`."""
    peak = _peak(folder, 4, size, "--memory", memory)
    return [f"| peak memory with --memory {memory} | 4 frames of {size[1]}x{size[0]} | {peak / 2**30:.2f} GB |"]


def _peak(folder: Path, count: int, size: tuple[int, int], *options: str) -> int:
    """The peak memory of `repair` in bytes. The clip and the result stay in the folder."""
    clip, out, report = folder / f"{count}.mkv", folder / f"{count}_repaired.mkv", folder / "report.json"
    write_clip(clip, count, size=size)
    command = ["repair", str(clip), "--task", "denoise", "--sigma", "8", "--weights", "fast", "-o", str(out), "-y"]
    run([*command, "--report", str(report), *options], every=256)
    return json.loads(report.read_text())["peak_memory_bytes"]
