"""Repairs, stitches and compresses video with a diffusion network in JAX.

The functions are imported on first use, because importing JAX takes a second and `--help` should not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from vdiff_jax.runtime import xla
from vdiff_jax.runtime.version import __version__ as __version__

if TYPE_CHECKING:
    from vdiff_jax.api import repair
    from vdiff_jax.choosing import choose
    from vdiff_jax.comparison import compare
    from vdiff_jax.compression import compress, decompress
    from vdiff_jax.exporting import export
    from vdiff_jax.stitching.stitch import stitch

xla.set_flags()

_MODULES = {
    "choose": "vdiff_jax.choosing",
    "compare": "vdiff_jax.comparison",
    "export": "vdiff_jax.exporting",
    "repair": "vdiff_jax.api",
    "stitch": "vdiff_jax.stitching",
    "compress": "vdiff_jax.compression",
    "decompress": "vdiff_jax.compression",
}
__all__ = ["choose", "compare", "compress", "decompress", "export", "repair", "stitch"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
