"""How much memory a run may take."""

import os
from pathlib import Path

import jax

_MARGIN = 0.8
"""The share of the free memory that a run takes by default."""


def free_memory() -> int:
    """The bytes that a run may take by default: what is free on the first device, less a margin."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(_MARGIN * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        free = machine_memory() // 2
    return int(_MARGIN * free)


def machine_memory() -> int:
    """The machine's memory in bytes; endless where the system does not tell, as Windows does not."""
    if not hasattr(os, "sysconf"):
        return 1 << 62
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
