"""Options that avoid faults of encoders: files that differ from run to run, and an encoder that never ends."""

import functools

import numpy as np

_BLOCK = 64
"""Pixels: the side of the blocks that SVT-AV1 divides a picture into."""
_NARROW = 25
"""Pixels: pictures with a side below this, and one above `_BLOCK`, never end in several threads of SVT-AV1."""


def without_faults(encoder: str, options: dict[str, str], width: int, height: int) -> dict[str, str]:
    """The encoder's options for a picture of this size, and those that avoid the encoder's faults.

    On processors with AVX-512, x264's macroblock tree reads memory that nothing has written, where a row of blocks is
    no multiple of 16: files differ from run to run. With AVX2 they don't, and encoding takes no longer. SVT-AV1 waits
    for ever on narrow pictures of more than one block, but not in one thread (measured with PyAV 18's SVT-AV1).
    """
    if encoder in ("libx264", "libx264rgb") and _has_avx512():
        return _with_parameter(options, "x264-params", "asm", "avx2")
    if encoder == "libsvtav1" and min(width, height) < _NARROW and max(width, height) > _BLOCK:
        return _with_parameter(options, "svtav1-params", "lp", "1")
    return options


def _with_parameter(options: dict[str, str], name: str, key: str, value: str) -> dict[str, str]:
    """The options with one more parameter in the option `name`, unless the parameter is given there."""
    given = [part for part in options.get(name, "").split(":") if part]
    if any(part.startswith(f"{key}=") for part in given):
        return options
    return {**options, name: ":".join([*given, f"{key}={value}"])}


@functools.cache
def _has_avx512() -> bool:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return any(name == "X86_V4" or name.startswith("AVX512") for name in found)
