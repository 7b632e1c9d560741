"""Checks that what goes into `repair` comes out, stream by stream.

    python scripts/passthrough.py [FOLDER ...] [--kinds] [--random 200] [--seed 0] [--outputs .mkv,.mp4] [--keep FOLDER]

Every video below each FOLDER, a file of each kind in `fidelity/kinds.py` with --kinds (or of the kinds that are named
behind it), and as many files of random kinds as --random says, is written by
`repair --task denoise --sigma 0`, which changes no picture. The result is read by PyAV alone and compared with the
input: frames, time stamps, sound packets byte for byte, subtitles, tags, side data. Prints a row for each stream that
differs, with the warning that explains it, and a count of the others (--all prints them too). Exits with 1 if a
difference has no warning or a run ends in an error.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarking.arguments import new_parser
from fidelity.contents import read_contents
from fidelity.differences import Row, matched
from fidelity.kinds import files_of_kinds
from fidelity.random_files import random_files

import vdiff_jax
from vdiff_jax.errors import VdiffError
from vdiff_jax.media import list_videos

_ENCODED = {"crf": "15"}
"""Options of the encoder, without which a file that needs nothing is copied byte for byte."""


class Outcome(NamedTuple):
    """What became of one file: its streams and the warnings, or the error."""

    rows: list[Row]
    warnings: list[str]
    error: str | None = None

    def unexplained(self) -> list[str]:
        """The differences that no warning names."""
        found = [d for row in self.rows for d in row.differences if not d.explained(self.warnings)]
        return [f"{difference.kind}: {difference.text}" for difference in found]


def pass_through(source: Path, target: Path) -> Outcome:
    """Writes a file without changing a picture, and compares it with its source."""
    try:
        report = vdiff_jax.repair(source, target, task="denoise", sigma=0, options=_ENCODED)
    except VdiffError as error:
        return Outcome([], [], str(error))
    assert isinstance(report, dict)
    return Outcome(matched(read_contents(source), read_contents(target)), report["warnings"])


def main() -> int:
    """Prints the table; 1 if something is not explained."""
    parser = new_parser(__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="folders of videos")
    parser.add_argument("--kinds", nargs="*", metavar="KIND", help="files of these kinds, or of all (default: none)")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="files of random kinds (default: none)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random files (default: 0)")
    parser.add_argument("--outputs", default=".mkv,.mp4", help="endings of the results (default: .mkv,.mp4)")
    parser.add_argument("--keep", type=Path, help="folder for random files that fail")
    parser.add_argument("--all", action="store_true", help="print streams without a difference, too")
    options = parser.parse_args()
    failed = count = 0
    print("| file | output | stream | what differs | explained by |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        made = [] if options.kinds is None else files_of_kinds(options.kinds, Path(folder))
        files = itertools.chain(
            _videos(options.folders), made, random_files(options.random, options.seed, Path(folder))
        )
        for number, source in enumerate(files):
            for ending in options.outputs.split(","):
                outcome = pass_through(source, Path(folder) / f"result{number}{ending}")
                bad = outcome.error is not None or bool(outcome.unexplained())
                failed, count = failed + bad, count + 1
                _print(source, ending, outcome, everything=options.all)
                (Path(folder) / f"result{number}{ending}").unlink(missing_ok=True)
                if bad and options.keep and source.parent == Path(folder):
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / source.name).write_bytes(source.read_bytes())
    print(f"\n{count} results, {failed} with a difference that no warning names or an error")
    return int(failed > 0)


def _videos(folders: Sequence[Path]) -> Iterator[Path]:
    """The videos, and folders of pictures, below the folders."""
    for top in folders:
        for folder in sorted([top, *(path for path in top.rglob("*") if path.is_dir())]):
            videos = None
            with contextlib.suppress(VdiffError):
                videos = list_videos(folder)
            yield from videos or []


def _print(source: Path, ending: str, outcome: Outcome, *, everything: bool) -> None:
    if outcome.error is not None:
        print(f"| {source.name} | {ending} | | ERROR | {outcome.error} |")
    for row in outcome.rows:
        codecs = row.source.codec if row.result is None else f"{row.source.codec} to {row.result.codec}"
        for difference in row.differences:
            why = next((w for w in outcome.warnings if difference.explained([w])), "NOT EXPLAINED")
            print(f"| {source.name} | {ending} | {row.source.kind} {codecs} | {difference.text} | {why} |")
        if everything and not row.differences:
            print(f"| {source.name} | {ending} | {row.source.kind} {codecs} | nothing | |")


if __name__ == "__main__":
    raise SystemExit(main())
