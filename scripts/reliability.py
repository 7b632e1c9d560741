"""Kills runs, damages files, fuzzes parsers and soaks `repair`, and prints one table of what was lost.

    python scripts/reliability.py [--kills 52] [--damaged 300] [--fuzz-seconds 120] [--soak 10000]

Kills: each of the four commands is run once to its end; then it is killed at random moments (SIGKILL or Ctrl-C) and
resumed until it ends. Every frame and its time stamp must equal those of the first run. A section with 0 is left out.
"""

import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from benchmarking.arguments import new_parser

from vdiff_jax.errors import VdiffError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer

SHORT_SEGMENTS = (
    "import sys, vdiff_jax.runtime.checkpoints as c, vdiff_jax.compression.track_encoder as t; "
    "c._LONGEST = c._SHORTEST = 16; t._SEGMENT = 16; "
    "from vdiff_jax.infer import main; sys.exit(main(sys.argv[1:]))"
)
CODECS = {
    "libx264": "mkv",
    "libx265": "mp4",
    "libsvtav1": "mp4",
    "libvpx-vp9": "webm",
    "mpeg2video": "mkv",
    "ffv1": "mkv",
}
PARSERS = ("attachment", "arrays", "packets", "checkpoint", "weights", "calibration", "config", "y4m")


def write_clip(path: Path, count: int, *, size: tuple[int, int] = (96, 160), codec: str | None = None, left: int = 0):
    """Writes a noisy moving picture.

    Args:
      path: the file.
      count: frames.
      size: height and width.
      codec: the encoder.
      left: columns by which the picture is shifted, for a second camera.
    """
    height, width = size
    rng = np.random.default_rng(0)
    wave = np.add.outer(np.sin(np.arange(height + count) / 7), np.sin(np.arange(width + left + count) / 5))
    picture = 128 + 40 * wave + 20 * rng.standard_normal(wave.shape).cumsum(1) / np.sqrt(width)
    info = VideoInfo(
        width=width, height=height, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)), rate=Fraction(25),
        time_base=Fraction(1, 25),
    )  # fmt: skip
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    with open_writer(path, info, codec=codec) as writer:
        for n in range(count):
            view = picture[n // 4 : n // 4 + height, left + n // 2 : left + n // 2 + width]
            luma = np.clip(view + rng.normal(0, 8, size), 0, 255).astype(np.uint8)
            writer.write(Frame((luma, chroma, chroma), n))


def digest(path: Path) -> str:
    """A hash of all frames and their time stamps."""
    made = hashlib.sha256()
    with open_reader(path) as reader:
        for frame in reader:
            made.update(str(frame.pts * reader.info.time_base).encode())
            for plane in frame.planes:
                made.update(np.ascontiguousarray(plane))
    return made.hexdigest()


def run(arguments: list[str], kill_after: float | None = None) -> bool:
    """Runs a command; returns whether it ended by itself."""
    process = subprocess.Popen([sys.executable, "-c", SHORT_SEGMENTS, *arguments], stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(random.choice([signal.SIGKILL, signal.SIGINT]))
        process.communicate()
        return False
    if process.returncode:
        sys.exit(f"{' '.join(arguments)}: {errors.decode()}")
    return True


def kill_runs(folder: Path, kills: int) -> list[str]:
    """Rows of the table: for each command its kills, and the runs whose result differs."""
    clip, other, coded = folder / "clip.mkv", folder / "other.mkv", folder / "coded.mkv"
    write_clip(clip, 200)
    write_clip(other, 200, left=40)
    commands = {
        "repair": ["repair", str(clip), "--task", "denoise", "--sigma", "8", "--weights", "fast"],
        "compress": ["compress", str(clip), "--adapt", "none"],
        "decompress": ["decompress", str(coded)],
        "stitch": ["stitch", str(clip), str(other), "--layout", "sequence"],
    }
    run([*commands["compress"], "-o", str(coded)])
    rows = []
    for name, command in commands.items():
        whole, killed = folder / f"{name}.mkv", folder / f"{name}_killed.mkv"
        begun = time.monotonic()
        run([*command, "-o", str(whole)])
        seconds, done, differ = time.monotonic() - begun, 0, 0
        while done < -(-kills // len(commands)):
            ended = run([*command, "-o", str(killed), "--resume"], kill_after=random.uniform(0.3, 1.0) * seconds)
            done += not ended
            if ended:
                differ += digest(killed) != digest(whole)
                killed.unlink()
        run([*command, "-o", str(killed), "--resume"])
        differ += digest(killed) != digest(whole)
        left = [path.name for path in folder.iterdir() if path.name.startswith(".vdiff") or path.suffix == ".resume"]
        rows.append(f"| kills of `{name}` | {done} | {differ} results differ, {len(left)} files left over |")
    return rows


def damage_files(folder: Path, count: int) -> list[str]:
    """The row of the table for damaged files."""
    rng, ends = random.Random(0), {"read to the end": 0, "named error": 0}
    for codec, ending in CODECS.items():
        write_clip(folder / f"{codec}.{ending}", 12, codec=codec)
    for number in range(count):
        codec, ending = list(CODECS.items())[number % len(CODECS)]
        data = bytearray((folder / f"{codec}.{ending}").read_bytes())
        place = rng.randrange(len(data))
        kind = rng.choice(["flip", "cut", "zero"])
        if kind == "cut":
            del data[place:]
        elif kind == "zero":
            data[place : place + 200] = bytes(len(data[place : place + 200]))
        else:
            for _ in range(20):
                data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        path = folder / f"damaged.{ending}"
        path.write_bytes(data)
        try:
            with open_reader(path) as reader:
                sum(1 for _ in reader)
            ends["read to the end"] += 1
        except VdiffError:
            ends["named error"] += 1
    return [f"| damaged files | {count} | {', '.join(f'{n} {end}' for end, n in ends.items())} |"]


def fuzz(seconds: int) -> list[str]:
    """Rows of the table: the inputs of each parser."""
    rows, script = [], Path(__file__).with_name("fuzz.py")
    for parser in PARSERS:
        made = subprocess.run(
            [sys.executable, str(script), parser, "--seconds", str(seconds)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in made.stderr.splitlines() if line.startswith("stat::number_of_executed_units")]
        inputs = lines[-1].split()[-1] if lines else "?"
        rows.append(
            f"| inputs of `{parser}` | {inputs} | {'no crash' if made.returncode == 0 else made.stderr[-300:]} |"
        )
    return rows


def soak(folder: Path, count: int) -> list[str]:
    """Rows of the table: memory, handles, threads and speed in the second and in the last tenth of a long run."""
    import vdiff_jax

    clip, process, marks = folder / "soak.mkv", Path("/proc/self"), []
    write_clip(clip, count, size=(360, 640))

    def note(frames: int) -> None:
        if frames % (count // 10) == 0:
            memory = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
            handles, threads = (len(os.listdir(process / name)) for name in ("fd", "task"))
            marks.append((time.monotonic(), memory, handles, threads))

    vdiff_jax.repair(clip, folder / "soaked.mkv", task="denoise", sigma=8, weights="fast", progress=note)
    speeds = [count / 10 / (b[0] - a[0]) for a, b in itertools.pairwise(marks)]
    names = ("memory (MB)", "file handles", "threads")
    rows = [f"| soak: {name} | {count} | {marks[1][n]} then {marks[-1][n]} |" for n, name in enumerate(names, start=1)]
    return [*rows, f"| soak: frames/s | {count} | {speeds[0]:.1f} then {speeds[-1]:.1f} |"]


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--kills", type=int, default=52, help="over the four commands (default: 52)")
    parser.add_argument("--damaged", type=int, default=300, help="damaged files (default: 300)")
    parser.add_argument("--fuzz-seconds", type=int, default=120, help="for each parser (default: 120)")
    parser.add_argument("--soak", type=int, default=10_000, help="frames of 640x360 (default: 10000)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vdiff_reliability_"))
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sections = [
        (kill_runs, (folder, options.kills)),
        (damage_files, (folder, options.damaged)),
        (fuzz, (options.fuzz_seconds,)),
        (soak, (folder, options.soak)),
    ]
    print("| what | how many | result |\n| --- | --- | --- |")
    try:
        for section, arguments in sections:
            if arguments[-1]:
                print("\n".join(section(*arguments)), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
