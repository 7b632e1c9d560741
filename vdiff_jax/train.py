"""Trains a network: `python -m vdiff_jax.train --config configs/base.toml --workdir runs/base --data DIR`."""

import argparse
import logging
import signal
import sys
from pathlib import Path

from vdiff_jax.errors import VdiffError
from vdiff_jax.runtime import allocator
from vdiff_jax.runtime.caches import cache_folder, use_compilation_cache

PREEMPTED = 75
"""Exit code after SIGTERM, the state saved: the system's "temporary failure, try again"."""


def main(arguments: list[str] | None = None) -> int:
    """Reads the arguments, trains, and returns the exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    allocator.keep_freed_memory()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("vdiff_jax").setLevel(logging.INFO)
    try:
        overrides = _overrides(rest, parser)
        return _dry_run(options, overrides) if options.dry_run else _train(options, overrides)
    except VdiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vdiff_jax.train", description="Trains a network.")
    parser.add_argument("--config", help="a TOML file; see configs/")
    parser.add_argument("--workdir", type=Path, default=Path("runs/train"), help="metrics, checkpoints and weights")
    parser.add_argument("--data", help="a folder of videos and photographs, also gs:// and s3://; default: the sample")
    parser.add_argument("--exclude", default="", help="comma-separated parts of file names to leave out of --data")
    parser.add_argument("--cache", type=Path, help="where decoded data is kept")
    parser.add_argument("--resume", action="store_true", help="goes on from the newest checkpoint in the workdir")
    parser.add_argument("--init-from", help="weights to start from: a name in the package or a file")
    parser.add_argument("--dry-run", action="store_true", help="says what training would take, without training")
    parser.add_argument("--profile", type=int, default=0, metavar="STEPS", help="traces so many steps for TensorBoard")
    several = parser.add_argument_group("several processes", "found by itself on Cloud TPU and SLURM")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="process 0's address; $JAX_COORDINATOR_ADDRESS")
    several.add_argument("--processes", type=int, metavar="N", help="how many there are; $JAX_NUM_PROCESSES")
    several.add_argument("--process", type=int, metavar="I", help="which this is, from 0; $JAX_PROCESS_ID")
    several.add_argument("--wait", type=int, default=300, metavar="SECONDS", help="for the others (300)")
    return parser


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
    use_compilation_cache()
    from vdiff_jax import config, sample, sharding

    values = config.load(options.config, overrides)
    sharding.connect(options.coordinator, options.processes, options.process, seconds=options.wait)
    from vdiff_jax.training.loop import Run

    run = Run(
        values,
        options.workdir,
        options.data or sample.TRUTH,
        options.cache or cache_folder() / "data",
        resume=options.resume,
        init_from=options.init_from,
        exclude=_exclude(options),
        profile=options.profile,
    )
    if not sharding.several():  # of several, one's signal is passed on to all
        signal.signal(signal.SIGTERM, lambda *_: run.stop())
    return 0 if run.train() else PREEMPTED


def _dry_run(options: argparse.Namespace, overrides: dict[str, str]) -> int:
    use_compilation_cache()
    from vdiff_jax import config, sample, sharding

    values = config.load(options.config, overrides)
    sharding.connect(options.coordinator, options.processes, options.process, seconds=options.wait)
    from vdiff_jax.training.forecast import forecast

    print(forecast(values, options.data or sample.TRUTH, exclude=_exclude(options)))
    return 0


def _exclude(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(part for part in options.exclude.split(",") if part)


if __name__ == "__main__":
    sys.exit(main())
