"""Feeds random inputs to a parser of bytes that this package wrote itself, with atheris (pip install atheris).

    python scripts/fuzz.py attachment --seconds 120
    python scripts/fuzz.py packets --runs 1000000 --corpus DIR

Any exception but the named errors ends it with a traceback and the input, as does an input that takes more than
`--timeout` seconds of processor time or allocates more than 256 MB at once. The corpus starts from valid inputs.
"""

import contextlib
import logging
import sys
import time
from pathlib import Path

from benchmarking.arguments import new_parser

NAMES = (
    *("attachment", "arrays", "packets", "checkpoint", "weights"),
    *("calibration", "config", "y4m", "references", "comment", "containers"),
)


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("parser", choices=NAMES, help="what is fuzzed")
    parser.add_argument("--seconds", type=int, default=120, help="how long (default: 120)")
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs at most (default: no limit)")
    parser.add_argument("--timeout", type=int, default=1, help="processor seconds that one input may take (default: 1)")
    parser.add_argument("--corpus", type=Path, help="a folder that keeps inputs from run to run (default: none)")
    options = parser.parse_args()
    try:
        import atheris
        from endurance.parsers import FOLDER, PARSERS, make_folder, seeds
    except ImportError as error:
        sys.exit(f"{error}: pip install atheris")
    from vdiff_jax.errors import VdiffError

    logging.disable(logging.CRITICAL)
    parse = PARSERS[options.parser]
    corpus = options.corpus or FOLDER / "corpus"
    make_folder()
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(options.parser)):
        (corpus / f"seed{number}").write_bytes(seed)

    def test(data: bytes) -> None:
        begun = time.process_time()
        with contextlib.suppress(VdiffError):
            parse(data)
        if (taken := time.process_time() - begun) > options.timeout:
            raise TimeoutError(f"an input took {taken:.1f} s of processor time")

    limits = [f"-max_total_time={options.seconds}", f"-runs={options.runs}", f"-timeout={600 * options.timeout}"]
    limits += ["-malloc_limit_mb=256", "-rss_limit_mb=0", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
