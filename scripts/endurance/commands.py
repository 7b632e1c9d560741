"""The commands that are killed and resumed, and how they are run: with a checkpoint every 16 frames."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from endurance.clips import digest, write_clip, write_mask
from vdiff_jax.runtime.checkpoints import checkpoint_folder

PROGRAM = """
import sys, vdiff_jax.runtime.checkpoints as c, vdiff_jax.compression.encoder as e
import vdiff_jax.compression.track_encoder as t, vdiff_jax.compression.track_choice as choice
c._LONGEST = c._SHORTEST = t._SEGMENT = {every}
if sys.argv[1] == "{half_rate}":
    sys.argv[1] = "compress"
    e.choose_track = lambda encoder, prober, track, budget: choice.TrackChoice(
        encoder.encode(track.crf, encoder.whole._replace(half_rate=True))
    )
from vdiff_jax.infer import main
sys.exit(main(sys.argv[1:]))
"""
HALF_RATE = "compress at half rate"
"""Runs `compress` so that it always keeps only every second frame."""
NEVER = 1 << 30


class CommandError(Exception):
    """A command ended with an error; holds what it printed."""


def prepare(folder: Path, frames: int = 200) -> None:
    """Writes the clips that the commands read."""
    write_clip(folder / "clip.mkv", frames)
    write_clip(folder / "other.mkv", frames, left=40)
    write_clip(folder / "short.mkv", frames // 3)
    write_clip(folder / "large.mkv", frames // 8, size=(416, 640))
    write_mask(folder / "mask.png")
    options = [str(folder / "clip.mkv"), "--adapt", "none", "-o"]
    run(["compress", *options, str(folder / "coded.mkv")])
    run([HALF_RATE, *options, str(folder / "half.mkv")])


def commands(folder: Path) -> dict[str, list[str]]:
    """Each of the four commands, and `repair` for each task and for what changes the order or number of frames."""

    def repair(clip: str, *options: str) -> list[str]:
        return ["repair", str(folder / f"{clip}.mkv"), "--weights", "fast", *options]

    clip, other, short = (str(folder / f"{name}.mkv") for name in ("clip", "other", "short"))
    mask = ["--task", "inpaint", "--mask", str(folder / "mask.png")]
    return {
        "repair": repair("clip", "--task", "denoise", "--sigma", "8"),
        "compress": ["compress", clip, "--adapt", "none"],
        "decompress": ["decompress", str(folder / "coded.mkv")],
        "stitch": ["stitch", clip, other, "--layout", "sequence"],
        "compress --bitrate": ["compress", clip, "--adapt", "none", "--bitrate", "100k"],
        HALF_RATE: [HALF_RATE, clip, "--adapt", "none"],
        "decompress at half rate": ["decompress", str(folder / "half.mkv")],
        "repair --mask": repair("short", *mask),
        "repair --mask --grow": repair("short", *mask, "--grow", "3"),
        "repair --mask auto": repair("short", "--task", "denoise", "--sigma", "8", "--mask", "auto"),
        "repair --task deblock": repair("short", "--task", "deblock"),
        "repair --scale": repair("short", "--scale", "2"),
        "repair --fps": repair("short", "--fps", "50"),
        "repair --slow": repair("short", "--slow", "3"),
        "repair --double-rate": repair("short", "--task", "denoise", "--sigma", "8", "--double-rate"),
        "repair --from --to": repair("short", "--task", "denoise", "--sigma", "8", "--from", "0.4", "--to", "2.2"),
        "repair --memory": repair("large", "--task", "denoise", "--sigma", "8", "--memory", "0.9GB"),
        "repair --quality best": ["repair", short, "--task", "denoise", "--sigma", "8", "--quality", "best"],
    }


def run(arguments: list[str], *, kill_after: float | None = None, every: int = 16) -> bool:
    """Runs a command; returns whether it ended by itself.

    Args:
      arguments: of the command line.
      kill_after: seconds after which it is killed, by SIGKILL or Ctrl-C.
      every: frames from one checkpoint to the next.

    Raises:
      CommandError: it ended with an error.
    """
    program = [sys.executable, "-c", PROGRAM.format(every=every, half_rate=HALF_RATE), *arguments]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, errors = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(random.choice([signal.SIGKILL, signal.SIGINT]))
            process.communicate()
            return False
        if process.returncode:
            raise CommandError(errors)
        return True


def kill(folder: Path, kills: int, names: list[str] | None = None) -> Iterator[str]:
    """Kills and resumes commands; yields rows of the table: kills, results that differ, files left over.

    A run is killed between the start of its work and the end of an unbroken run. Then the same command either resumes
    it to its end, or is killed once more. Each result is compared with that of the unbroken run.

    Args:
      folder: where the clips of `prepare` are.
      kills: over all commands.
      names: the commands, as `commands` names them; all of them if none are given.
    """
    chosen = {name: command for name, command in commands(folder).items() if not names or name in names}
    for number, (name, command) in enumerate(chosen.items()):
        count = kills // len(chosen) + (number < kills % len(chosen))
        whole, killed = folder / "whole.mkv", folder / "killed.mkv"
        for path in (whole, killed):
            path.unlink(missing_ok=True)
        begun, ended = _work([*command, "-o", str(whole)], whole)
        command = [*command, "-o", str(killed), "--resume"]
        expected, done, kept, results, differ = digest(whole), 0, 0, 0, 0
        while done < count:
            if run(command, kill_after=random.uniform(begun, ended)):
                begun, ended = 0.9 * begun, 0.9 * ended  # the machine has become faster
                killed.unlink()
                continue
            done, kept = done + 1, kept + _has_kept_work(killed)
            if done < count and done % 3 == 0 and not run(command, kill_after=random.uniform(begun, ended)):
                done, kept = done + 1, kept + _has_kept_work(killed)
            if not killed.exists() or checkpoint_folder(killed).exists():
                run([*command, "-y"])
            results, differ = results + 1, differ + (digest(killed) != expected)
            killed.unlink()
        left = [path.name for path in folder.iterdir() if path.name.startswith(".vdiff") or path.suffix == ".resume"]
        yield (
            f"| kills of `{name}` | {done}, {kept} of them after work was kept | {differ} of {results} results differ, "
            f"{len(left)} files left |"
        )


def _work(command: list[str], target: Path) -> tuple[float, float]:
    """Runs a command; returns after how many seconds it made the folder of its checkpoints, and when it ended."""
    start, found = time.monotonic(), threading.Event()
    begun: list[float] = []

    def watch() -> None:
        while not found.wait(0.01):
            if checkpoint_folder(target).exists():
                begun.append(time.monotonic() - start)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run(command)
    finally:
        found.set()
        watcher.join()
    ended = time.monotonic() - start
    return (begun[0] if begun else 0.3 * ended), ended


def _has_kept_work(target: Path) -> bool:
    """Whether a killed run has left frames, from which the next one continues."""
    files = checkpoint_folder(target).rglob("[0-9]*")
    return any(path.suffix in (".json", ".mp4") for path in files)


def cost_of_checkpoints(folder: Path, rounds: int) -> list[str]:
    """The row of the table: CPU time of `repair` with checkpoints, and without, in turn: the least of each."""
    clip, out = folder / "long.mkv", folder / "timed.mkv"
    write_clip(clip, 1200)
    command = ["repair", str(clip), "--task", "denoise", "--sigma", "8", "--weights", "fast", "-o", str(out), "-y"]
    least = {256: float("inf"), NEVER: float("inf")}
    for _ in range(rounds):
        for every in least:
            before = sum(os.times()[2:4])
            run(command, every=every)
            least[every] = min(least[every], sum(os.times()[2:4]) - before)
    cost = 100 * (least[256] / least[NEVER] - 1)
    return [f"| cost of checkpoints, in CPU time | {rounds} runs each | {cost:+.1f} % |"]


def fill_disks(folder: Path, size: int) -> list[str]:
    """Runs each of the four commands on a file system of so many kB, then with room, and compares the results.

    It is a `tmpfs`, so it needs the right to mount one.
    """
    rows, place = [], folder / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)], check=False).returncode:
        return ["| full disk | 0 | not tried: no right to mount a file system |"]
    try:
        for name, command in list(commands(folder).items())[:4]:
            whole, out = folder / "whole.mkv", place / "out.mkv"
            whole.unlink(missing_ok=True)
            command = [*command, *(["--codec", "ffv1"] if name == "repair" else [])]
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(place)], check=True)
            run([*command, "-o", str(whole)])
            try:
                run([*command, "-o", str(out)])
                said = "it was large enough"
            except CommandError as error:
                said = error.args[0].strip().splitlines()[-1]
                said = "a traceback" if "Traceback" in error.args[0] else said.replace(str(folder), "")
            subprocess.run(["mount", "-o", "remount,size=512m", str(place)], check=True)
            run([*command, "-o", str(out), "--resume"])
            same = "equal" if digest(out) == digest(whole) else "DIFFERENT"
            rows.append(f"| full disk in `{name}` | 1 | {said}; resumed: {same} |")
            out.unlink()
    finally:
        subprocess.run(["umount", str(place)], check=False)
    return rows
