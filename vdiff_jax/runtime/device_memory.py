"""A check that a video's frames fit into the device's memory, before anything is computed."""

import os
from pathlib import Path

import jax

from vdiff_jax.errors import OptionError

_NETWORK_BYTES = 700
"""Bytes that each pixel of the network's frames needs, roughly: the frames around it and all features of `base`."""
_OUTPUT_BYTES = 60
"""Bytes that each pixel of the output needs in addition."""


def check_memory(computed: tuple[int, int], written: tuple[int, int]) -> None:
    """Checks that frames of a size fit into memory.

    Args:
      computed: height and width of the frames that the network computes.
      written: height and width of the output.

    Raises:
      OptionError: they need more memory than the device has.
    """
    needed = _NETWORK_BYTES * computed[0] * computed[1] + _OUTPUT_BYTES * written[0] * written[1]
    available = _device_memory()
    if needed > available:
        raise OptionError(
            f"{written[1]}x{written[0]} needs about {needed / 2**30:.0f} GB of memory, the device has "
            f"{available / 2**30:.0f} GB: pass a smaller scale or size"
        )


def _device_memory() -> int:
    """The memory of the first device in bytes; of the machine, if the device is its CPU."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    return machine_memory()


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
