"""Functions compiled once for all videos of one pixel format and size."""

import functools
import logging
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import numpy as np

log = logging.getLogger(__name__)


def compiled(
    function: Callable[..., Any], constants: tuple[Hashable, ...], arguments: tuple, message: str = ""
) -> jax.stages.Compiled:
    """The function, compiled for its first arguments' values, and for the shapes of the others.

    Args:
      function: a pure function.
      constants: its first arguments.
      arguments: the others, of which only shapes and dtypes count.
      message: what is logged if it is compiled now, and not taken from an earlier call.
    """
    return _compiled(function, constants, _Shapes.of(arguments), message)


class _Shapes(NamedTuple):
    """What a function is compiled for: its arguments' shapes and dtypes, and the device."""

    tree: Any
    leaves: tuple[tuple[tuple[int, ...], np.dtype], ...]
    device: Any

    @classmethod
    def of(cls, arguments: Any) -> "_Shapes":
        leaves, tree = jax.tree.flatten(arguments)
        device = jax.config.jax_default_device  # pyright: ignore
        return cls(tree, tuple((np.shape(leaf), np.dtype(leaf.dtype)) for leaf in leaves), device)


@functools.lru_cache(maxsize=16)
def _compiled(
    function: Callable[..., Any], constants: tuple[Hashable, ...], shapes: _Shapes, message: str
) -> jax.stages.Compiled:
    if message:
        log.info(message)
    leaves = [jax.ShapeDtypeStruct(*leaf) for leaf in shapes.leaves]
    return jax.jit(functools.partial(function, *constants)).lower(*jax.tree.unflatten(shapes.tree, leaves)).compile()
