"""What C's allocator does with memory that is given back."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""malloc.h's numbers, for mallopt."""
_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Keeps memory that is given back for the next one who asks; call before there are threads, which have heaps.

    On a CPU, XLA asks for all that a step needs at once and gives it back at its end. Linux' allocator hands so large
    a piece to the system and gets it anew page by page, which takes a sixth of a training step.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, _MOST)):
            libc.mallopt(option, value)
