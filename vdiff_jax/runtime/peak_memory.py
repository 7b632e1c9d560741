"""The peak memory of this process, for reports."""

import sys

try:
    import resource
except ImportError:  # Windows
    resource = None


def peak_memory_bytes() -> int:
    """Returns the largest resident memory that this process has used so far, in bytes; 0 where that is unknown.

    Linux and the BSDs count `ru_maxrss` in KiB, macOS counts it in bytes (getrusage(2)). Windows has no `resource`.
    """
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
