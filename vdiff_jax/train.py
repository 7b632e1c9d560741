"""Trains a network: `python -m vdiff_jax.train --config configs/base.toml --workdir runs/base --data DIR`."""

import argparse
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from vdiff_jax.cli.closed_pipe import ends_with_its_reader
from vdiff_jax.errors import VdiffError
from vdiff_jax.runtime import allocator
from vdiff_jax.runtime.caches import cache_folder, use_compilation_cache

log = logging.getLogger("vdiff_jax.train")  # as a program, this module is called __main__

INTERRUPTED = 130
"""The exit code after Ctrl-C, with the state saved too."""
PREEMPTED = 75
"""The exit code after SIGTERM, with the state saved: EX_TEMPFAIL of sysexits.h, "try again"."""


@ends_with_its_reader
def main(arguments: list[str] | None = None) -> int:
    """Runs the command with these arguments (default: the command line's) and returns the exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    allocator.keep_freed_memory()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("vdiff_jax").setLevel(logging.INFO)
    if options.measure and not options.dry_run:
        parser.error("--measure works only with --dry-run: add --dry-run")
    try:
        overrides = _overrides(rest, parser)
        return _run(options, overrides)
    except VdiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vdiff_jax.train",
        description="Trains a network.",
        epilog="Any value of the configuration can be replaced: --train.steps 2000 --data.batch 8.",
    )
    parser.add_argument(
        "--config", help="the configuration, a TOML file; see configs/ (default: the values in vdiff_jax/config.py)"
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        default=Path("runs/train"),
        help="folder for metrics, checkpoints and weights (default: runs/train)",
    )
    parser.add_argument(
        "--data", help="folder of videos and photographs, also gs:// and s3:// (default: the sample clip)"
    )
    parser.add_argument(
        "--exclude",
        default="",
        help="words, separated by commas: files with one in their names are left out (default: none)",
    )
    parser.add_argument("--cache", type=Path, help="folder for decoded data (default: in the user's cache)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --workdir from its newest checkpoint (default: off)"
    )
    parser.add_argument("--init-from", help="weights to start from, a name or a file (default: random weights)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the arithmetic, memory traffic and memory of one step, and do not train (default: off)",
    )
    parser.add_argument(
        "--measure", action="store_true", help="with --dry-run: also time steps and the making of clips (default: off)"
    )
    parser.add_argument(
        "--profile",
        type=int,
        default=0,
        metavar="STEPS",
        help="trace this many steps for TensorBoard's profiler (default: 0)",
    )
    group = parser.add_argument_group("several processes", "not needed on Cloud TPU and SLURM")
    group.add_argument(
        "--coordinator", metavar="HOST:PORT", help="address of process 0 (default: $JAX_COORDINATOR_ADDRESS)"
    )
    group.add_argument("--processes", type=int, metavar="N", help="number of processes (default: $JAX_NUM_PROCESSES)")
    group.add_argument(
        "--process", type=int, metavar="I", help="number of this process, from 0 (default: $JAX_PROCESS_ID)"
    )
    group.add_argument(
        "--wait",
        type=int,
        default=300,
        metavar="SECONDS",
        help="how long to wait for the other processes (default: 300)",
    )
    return parser


def _overrides(rest: list[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    """`--train.steps 2000 --data.batch=8` as {"train.steps": "2000", "data.batch": "8"}."""
    overrides = {}
    words = iter(rest)
    for word in words:
        if not word.startswith("--") or "." not in word:
            parser.error(
                f"unrecognised argument {word}: see --help; values of the configuration are --train.KEY or --data.KEY"
            )
        key, equals, value = word[2:].partition("=")
        overrides[key] = value if equals else next(words, "")
    return overrides


def _run(options: argparse.Namespace, overrides: dict[str, str]) -> int:
    """Trains, or prints the report of the dry run; returns the exit code."""
    use_compilation_cache()
    from vdiff_jax import config, sample, sharding

    values = config.load(options.config, overrides)
    data = options.data or sample.TRUTH
    exclude = tuple(part for part in options.exclude.split(",") if part)
    sharding.connect(options.coordinator, options.processes, options.process, seconds=options.wait)
    if options.dry_run:
        from vdiff_jax.training.dry_run import dry_run

        print(dry_run(values, data, exclude=exclude, measure=options.measure))
        return 0
    from vdiff_jax.training.loop import Run

    run = Run(
        values,
        options.workdir,
        data,
        options.cache or cache_folder() / "data",
        resume=options.resume,
        init_from=options.init_from,
        exclude=exclude,
        profile=options.profile,
    )
    with contextlib.nullcontext([]) if sharding.multi_process() else _stopped_by_signals(run.stop) as received:
        if run.train():
            return 0
    return INTERRUPTED if signal.SIGINT in received else PREEMPTED


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Calls `stop` at SIGTERM and at Ctrl-C; a second Ctrl-C raises KeyboardInterrupt.

    With several processes, JAX itself passes one's SIGTERM on to all.

    Yields:
      The signals that were received.
    """
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if signal.SIGINT in received:
            raise KeyboardInterrupt
        received.append(number)
        log.info(
            "stopping after this step: a checkpoint is saved; the same command with --resume continues from it; "
            "a second Ctrl-C stops at once and saves none"
        )
        stop()

    before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


if __name__ == "__main__":
    sys.exit(main())
