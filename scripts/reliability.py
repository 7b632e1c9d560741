"""Kills runs, fills disks, damages files, fuzzes parsers and soaks `repair`, and prints one table of what was lost.

    python scripts/reliability.py [--kills 52] [--damaged 300] [--fuzz-seconds 120] [--soak 10000]

Kills: each command is run once to its end; then it is killed at random moments (SIGKILL or Ctrl-C) and resumed until it
ends. Every frame and its time stamp must equal those of the first run. Full disks: each command runs on a small file
system until that is full, then goes on with more room. A section with 0 is left out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarking.arguments import new_parser
from endurance.commands import cost_of_checkpoints, fill_disks, kill, prepare
from endurance.damage import repair_damaged_files
from endurance.seams import seams
from endurance.soak import large_frames, peak_memory, soak
from fuzz import NAMES

TESTS = Path(__file__).parents[1] / "tests" / "restoration" / "test_faults.py"


def inject_faults(_: Path, times: int) -> list[str]:
    """The row of the table for the faults that tests inject: of disk, decoder, encoder, threads, network and clock."""
    command = [sys.executable, "-m", "pytest", "-q", str(TESTS)]
    results = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(times)]
    ends = [line for made in results for line in made.stdout.splitlines() if " passed" in line or " failed" in line]
    return [f"| faults injected, each in a test | {times} | {end} |" for end in ends]


def fuzz(_: Path, seconds: int) -> list[str]:
    """Rows of the table: the inputs of each parser."""
    rows, script = [], Path(__file__).with_name("fuzz.py")
    for parser in NAMES:
        command = [sys.executable, str(script), parser, "--seconds", str(seconds)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [line for line in made.stderr.splitlines() if line.startswith("stat::number_of_executed_units")]
        inputs = lines[-1].split()[-1] if lines else "?"
        result = "no crash" if made.returncode == 0 else made.stderr[-300:]
        rows.append(f"| inputs of `{parser}` | {inputs} | {result} |")
    return rows


def size_of(text: str) -> tuple[int, int]:
    """Height and width of WxH."""
    width, height = map(int, text.split("x"))
    return height, width


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--faults", type=int, default=1, help="runs of the tests that inject faults (default: 1)")
    parser.add_argument("--kills", type=int, default=52, help="over all commands (default: 52)")
    parser.add_argument("--commands", type=lambda text: text.split(","), help="which are killed (default: all)")
    parser.add_argument("--disk", type=int, default=300, help="size of the disk that gets full, in kB (default: 300)")
    parser.add_argument("--cost", type=int, default=3, help="runs with and without checkpoints (default: 3)")
    parser.add_argument("--damaged", type=int, default=300, help="damaged files (default: 300)")
    parser.add_argument("--fuzz-seconds", type=int, default=120, help="for each parser (default: 120)")
    parser.add_argument("--soak", type=int, default=10_000, help="frames of the long run (default: 10000)")
    parser.add_argument("--size", default="640x360", help="of the frames of the long run (default: 640x360)")
    parser.add_argument("--peak", type=int, default=2000, help="frames whose peak memory is compared (default: 2000)")
    parser.add_argument("--peak-size", default="320x180", help="of these frames (default: 320x180)")
    parser.add_argument("--large", default="7680x4320", help="frames repaired in 4 GB; 0 for none (default: 7680x4320)")
    parser.add_argument(
        "--seams",
        type=Path,
        help="a video larger than 384x384, whose result in tiles is compared with that of whole frames",
    )
    parser.add_argument("--keep", type=Path, help="a folder for all clips and results, which stay (default: none)")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="vdiff_reliability_"))
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sections = [
        (inject_faults, options.faults),
        (lambda folder, count: kill(folder, count, options.commands), options.kills),
        (fill_disks, options.disk),
        (cost_of_checkpoints, options.cost),
        (repair_damaged_files, options.damaged),
        (fuzz, options.fuzz_seconds),
        (lambda folder, count: soak(folder, count, size_of(options.size)), options.soak),
        (lambda folder, count: peak_memory(folder, count, size_of(options.peak_size)), options.peak),
        (lambda folder, _: large_frames(folder, size_of(options.large), "4GB"), options.large != "0"),
        (lambda folder, _: seams(folder, options.seams), options.seams is not None),
    ]
    folder.mkdir(exist_ok=True, parents=True)
    print("| what | how many | result |\n| --- | --- | --- |")
    try:
        if options.kills or options.disk:
            prepare(folder)
        for section, amount in sections:
            if amount:
                for row in section(folder, amount):
                    print(row, flush=True)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
