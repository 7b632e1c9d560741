"""Options with which an encoder makes the same file of the same frames in every run."""

import functools

import numpy as np


def repeatable_options(encoder: str, options: dict[str, str]) -> dict[str, str]:
    """The encoder's options, and those that keep chance out of its results.

    On processors with AVX-512, x264's macroblock tree reads memory that nothing has written, where a row of blocks is
    no multiple of 16: files differ from run to run. With AVX2 they don't, and encoding takes no longer.
    """
    name = "x264-params"
    given = options.get(name, "")
    if encoder not in ("libx264", "libx264rgb") or "asm=" in given or not _has_avx512():
        return options
    return {**options, name: ":".join([*filter(None, [given]), "asm=avx2"])}


@functools.cache
def _has_avx512() -> bool:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return any(name == "X86_V4" or name.startswith("AVX512") for name in found)
