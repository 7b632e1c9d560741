"""Whether a video's frames fit into the device's memory, before anything is computed."""

import os

import jax

from vdiff_jax.errors import OptionError

_BYTES = 700
"""About what a pixel of the network's frames needs, with its neighbours in time and all features (`base`)."""
_BYTES_WRITTEN = 60
"""What a pixel that is written needs besides."""


def check_memory(computed: tuple[int, int], written: tuple[int, int]) -> None:
    """Refuses what can't fit.

    Args:
      computed: height and width of the frames that the network sees.
      written: of those that are written.

    Raises:
      OptionError: more than the device has.
    """
    needed = _BYTES * computed[0] * computed[1] + _BYTES_WRITTEN * written[0] * written[1]
    there = _device_memory()
    if needed > there:
        raise OptionError(
            f"{written[1]}x{written[0]} needs about {needed / 2**30:.0f} GB of memory, there are {there / 2**30:.0f}: "
            "take a smaller scale or size"
        )


def _device_memory() -> int:
    """Bytes of the first device, or of the machine where that is its processor."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
