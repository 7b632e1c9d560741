"""The peak memory of this process, for reports."""

import sys

try:
    import resource
except ImportError:  # Windows
    resource = None


def peak_memory_bytes(*, children: bool = False) -> int:
    """Returns the largest resident memory that this process has used so far, in bytes; 0 where that is unknown.

    Args:
      children: asks for the largest of the programs that this process ran and waited for.

    Linux and the BSDs count `ru_maxrss` in KiB, macOS counts it in bytes (getrusage(2)). Windows has no `resource`.
    """
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
