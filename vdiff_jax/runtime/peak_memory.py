"""The peak memory of this process, for reports."""

import re
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(*, children: bool = False) -> int:
    """Returns the largest resident memory that this process has used so far, in bytes; 0 where that is unknown.

    Args:
      children: asks for the largest of the programs that this process ran and waited for.

    Linux and the BSDs count `ru_maxrss` in KiB, macOS counts it in bytes (getrusage(2)). Windows has no `resource`. On
    Linux, `ru_maxrss` includes the memory of the program that started this one; `VmHWM` does not (proc(5)).
    """
    if not children and _STATUS.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        return int(found[1]) * 1024
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
