"""Runs a compiled function over frames in windows, and halves the windows when the device runs out of memory."""

import logging
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from vdiff_jax.errors import DeviceMemoryError
from vdiff_jax.nn.network import NetworkConfig

log = logging.getLogger(__name__)

WINDOW_PIXELS = 4_000_000
"""Larger frames go through the network in windows, which bounds its memory."""


class InWindows:
    """A function that is compiled at its first call, for windows of a height that fits the device's memory.

    Args:
      compiling: compiles the function for a window's height, in rows of the network's finest level, and for some
        arguments. The compiled function returns the new carry and a tree of other results.
      size: height and width of the frames, padded.
      config: the network's architecture: a window's height in pixels is a multiple of its `multiple`.
      pixels: about how many pixels a window has.

    Attributes:
      compile_seconds: how long compiling took.
    """

    def __init__(
        self,
        compiling: Callable[[int, tuple], Callable[..., tuple[Any, Any]]],
        size: tuple[int, int],
        config: NetworkConfig,
        *,
        pixels: int = WINDOW_PIXELS,
    ):
        self._compiling, self._size, self._config = compiling, size, config
        self._pixels = min(pixels, size[0] * size[1])
        self._compiled: Callable[..., tuple[Any, Any]] | None = None
        self.compile_seconds = 0.0

    @property
    def rows(self) -> int:
        """The height of a window without its halos, in rows of the network's finest level."""
        multiple = self._config.multiple
        return max(1, self._pixels // self._size[1] // multiple) * multiple // self._config.cell

    def __call__(self, *arguments: Any) -> tuple[Any, Any]:
        """The new carry, and the other results as NumPy arrays.

        Raises:
          DeviceMemoryError: the device's memory is too small for the smallest windows.
        """
        while True:
            try:
                self._compiled = self._compiled or self._compile(arguments)
                carry, others = self._compiled(*arguments)
                return jax.block_until_ready(carry), jax.tree.map(np.asarray, others)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                self._halve(error)

    def _compile(self, arguments: tuple) -> Callable[..., tuple[Any, Any]]:
        begun = time.monotonic()
        compiled = self._compiling(self.rows, arguments)
        self.compile_seconds += time.monotonic() - begun
        return compiled

    def _halve(self, error: Exception) -> None:
        """Makes windows half as high.

        Raises:
          DeviceMemoryError: they are as small as they can be.
        """
        before, self._pixels, self._compiled = self.rows, self._pixels // 2, None
        if self.rows == before:
            raise DeviceMemoryError(
                f"the device's memory is too small for {self._size[1]}x{self._size[0]}, even in windows of "
                f"{2 * before} rows: pass a smaller scale or size, or set JAX_PLATFORMS=cpu"
            ) from error
        log.warning(
            "the device has run out of memory: the network continues in windows of %d rows instead of %d",
            2 * self.rows,
            2 * before,
        )
