"""Video diffusion in JAX: repair, stitch and compress video by spreading what is known to where it is not."""

import importlib
from typing import TYPE_CHECKING, Any

from vdiff_jax.runtime import xla

if TYPE_CHECKING:
    from vdiff_jax.api import repair
    from vdiff_jax.choosing import choose
    from vdiff_jax.comparison import compare
    from vdiff_jax.compression import compress, decompress
    from vdiff_jax.stitching.stitch import stitch

xla.set_flags()

__version__ = "0.1.0"
_WHERE = {
    "choose": "vdiff_jax.choosing",
    "compare": "vdiff_jax.comparison",
    "repair": "vdiff_jax.api",
    "stitch": "vdiff_jax.stitching",
    "compress": "vdiff_jax.compression",
    "decompress": "vdiff_jax.compression",
}
__all__ = ["choose", "compare", "compress", "decompress", "repair", "stitch"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is asked for: JAX takes a second, `--help` should not."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
