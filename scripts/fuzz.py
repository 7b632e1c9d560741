"""Feeds random inputs to a parser of bytes that this package wrote itself, with atheris (pip install atheris).

    python scripts/fuzz.py attachment --seconds 120
    python scripts/fuzz.py packets --runs 1000000 --corpus DIR

Any exception but the named errors ends it with a traceback and the input, as does an input that takes more than
`--timeout` seconds or allocates more than 256 MB at once. The corpus starts from valid inputs.
"""

import contextlib
import json
import logging
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarking.arguments import new_parser

try:
    import atheris
except ImportError:
    atheris = None

PACKAGES = ["vdiff_jax.compression", "vdiff_jax.runtime", "vdiff_jax.media.segments"]
with atheris.instrument_imports(include=PACKAGES) if atheris else contextlib.nullcontext():
    from vdiff_jax import config, media
    from vdiff_jax.compression import attachment
    from vdiff_jax.errors import VdiffError
    from vdiff_jax.media.segments import packets_of
    from vdiff_jax.runtime import checkpoint_files
    from vdiff_jax.stitching import calibration
    from vdiff_jax.weights import trained_tasks

MEMORY = Path("/dev/shm")
FOLDER = (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())) / f"vdiff_fuzz_{os.getpid()}"


def in_file(name: str, parse: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A parser of bytes from one of files."""

    def parse_bytes(data: bytes) -> object:
        path = FOLDER / name
        path.write_bytes(data)
        return parse(path)

    return parse_bytes


def parse_config(data: bytes) -> object:
    """Decodes a configuration; what is no TOML is the library's affair."""
    try:
        table = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return None
    return config.decode(table, "fuzz")


def parse_video(path: Path) -> object:
    """Reads a YUV4MPEG2 file."""
    with media.open_reader(path) as reader:
        return sum(1 for _ in reader)


PARSERS: dict[str, Callable[[bytes], object]] = {
    "attachment": attachment.unpack,
    "arrays": in_file("a.npz", checkpoint_files.read_arrays),
    "packets": in_file("a.npz", lambda path: list(packets_of(checkpoint_files.read_arrays(path), path))),
    "checkpoint": in_file("000000008.json", lambda path: checkpoint_files.find_checkpoint(path.parent, {})),
    "weights": in_file("a.safetensors", trained_tasks),
    "calibration": in_file("a.json", calibration.load_calibration),
    "config": parse_config,
    "y4m": in_file("a.y4m", parse_video),
}


def seeds(name: str) -> list[bytes]:
    """Valid inputs of a parser."""
    path = FOLDER / "seed.npz"
    if name in ("arrays", "packets"):
        table = np.array([[3, 0, 0, 1, 1, 1, 25], [2, 1, 1, 1, 0, 1, 25]], np.int64)
        sides = np.zeros((0, 3), np.int64)
        checkpoint_files.write_arrays(path, [np.arange(5, dtype=np.uint8), table, np.zeros(0, np.uint8), sides])
        return [path.read_bytes()]
    if name == "checkpoint":
        (FOLDER / checkpoint_files.ABOUT).write_text(json.dumps({"format": checkpoint_files.FORMAT}))
        return [b'{"frames": 8, "chunks": 1, "before": 0, "states": ["carry"], "packets": true}']
    if name == "config":
        return [file.read_bytes() for file in (Path(__file__).parents[1] / "configs").glob("*.toml")]
    if name == "y4m":
        return [b"YUV4MPEG2 W4 H4 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(24)]
    if name == "attachment":
        return [attachment.Attachment(size=(48, 64)).pack()]
    if name == "weights":
        return [(64).to_bytes(8, "little") + b'{"__metadata__":{"format":"vdiff_jax 1","network":"{}"}}'.ljust(64)]
    return [json.dumps({"version": 1, "homographies": [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]}).encode()]


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("parser", choices=PARSERS, help="what is fuzzed")
    parser.add_argument("--seconds", type=int, default=120, help="how long (default: 120)")
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs at most (default: no limit)")
    parser.add_argument("--timeout", type=int, default=1, help="seconds that one input may take (default: 1)")
    parser.add_argument("--corpus", type=Path, help="a folder that keeps inputs from run to run (default: none)")
    options = parser.parse_args()
    if atheris is None:
        sys.exit("atheris is missing: pip install atheris")
    logging.disable(logging.CRITICAL)
    parse = PARSERS[options.parser]
    corpus = options.corpus or FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(options.parser)):
        (corpus / f"seed{number}").write_bytes(seed)

    def test(data: bytes) -> None:
        with contextlib.suppress(VdiffError):
            parse(data)

    limits = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", f"-timeout={options.timeout}"]
    limits += ["-malloc_limit_mb=256", "-rss_limit_mb=0", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
