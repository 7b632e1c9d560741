"""Trains a network: `python -m vdiff_jax.train --config configs/base.toml --workdir runs/base --data DIR`."""

import argparse
import logging
import signal
import sys
from pathlib import Path

from vdiff_jax.errors import VdiffError

PREEMPTED = 75
"""Exit code after SIGTERM, the state saved: the system's "temporary failure, try again"."""


def main(arguments: list[str] | None = None) -> int:
    """Reads the arguments, trains, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vdiff_jax.train", description="Trains a network.")
    parser.add_argument("--config", help="a TOML file; see configs/")
    parser.add_argument("--workdir", type=Path, default=Path("runs/train"), help="metrics, checkpoints and weights")
    parser.add_argument("--data", type=Path, help="a folder of videos and photographs; the sample if left out")
    parser.add_argument("--exclude", default="", help="comma-separated parts of file names to leave out of --data")
    parser.add_argument("--cache", type=Path, help="where decoded data is kept")
    parser.add_argument("--resume", action="store_true", help="goes on from the newest checkpoint in the workdir")
    parser.add_argument("--init-from", help="weights to start from: a name in the package or a file")
    options, rest = parser.parse_known_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("vdiff_jax").setLevel(logging.INFO)
    try:
        overrides = _overrides(rest, parser)
        return _train(options, overrides)
    except VdiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _overrides(rest: list[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    """`--train.steps 2000 --data.batch=8` as {"train.steps": "2000", "data.batch": "8"}."""
    overrides = {}
    words = iter(rest)
    for word in words:
        if not word.startswith("--") or "." not in word:
            parser.error(f"unrecognised argument {word}")
        key, equals, value = word[2:].partition("=")
        overrides[key] = value if equals else next(words, "")
    return overrides


def _train(options: argparse.Namespace, overrides: dict[str, str]) -> int:

    from vdiff_jax import config, sample
    from vdiff_jax.training.loop import Run, default_cache

    run = Run(
        config.load(options.config, overrides),
        options.workdir,
        options.data or sample.TRUTH,
        options.cache or default_cache(),
        resume=options.resume,
        init_from=options.init_from,
        exclude=tuple(part for part in options.exclude.split(",") if part),
    )
    signal.signal(signal.SIGTERM, lambda *_: run.stop())
    return 0 if run.train() else PREEMPTED


if __name__ == "__main__":
    sys.exit(main())
