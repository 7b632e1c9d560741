"""Limits a benchmark to two cores, so that machines and peers compare."""

import os


def use_two_cores() -> None:
    """Limits this process, and all that it starts from now on, to two cores and two OpenMP threads."""
    os.environ["OMP_NUM_THREADS"] = "2"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
