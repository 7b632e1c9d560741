"""The network over a large frame in windows: the same result in less memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from vdiff_jax.postprocess.merge import paste
from vdiff_jax.preprocess.windows import cut, first_row


def windowed(function: Callable[..., Any], *arrays: Any, rows: int | None, halo: int) -> Any:
    """`function(*arrays)`, computed in windows of the full width.

    Args:
      function: from arrays to arrays `*b h w c`. A row of its result depends on at most `halo` rows above and below.
      arrays: trees of arrays `*b h w c`, the first leaf on the finest grid, the others on that or on coarser ones.
      rows: the height of a window without its halos, in rows of the finest grid; a multiple of the coarsest grid's
        cell. `None`: the whole frame at once.
      halo: rows of the finest grid, likewise a multiple.
    """
    height = jax.tree.leaves(arrays)[0].shape[-3]
    if rows is None or height <= rows + 2 * halo:
        return function(*arrays)

    def in_window(whole: Any, index: jax.Array) -> tuple[Any, None]:
        start, own = first_row(index, rows, halo, height)
        result = function(*cut(arrays, start, rows + 2 * halo, height))
        return paste(whole, cut(result, own - start, rows, rows + 2 * halo), own, height), None

    shapes = jax.eval_shape(lambda *a: function(*cut(a, jnp.int32(0), rows + 2 * halo, height)), *arrays)
    whole = jax.tree.map(
        lambda s: jnp.zeros((*s.shape[:-3], s.shape[-3] * height // (rows + 2 * halo), *s.shape[-2:]), s.dtype), shapes
    )
    return lax.scan(in_window, whole, jnp.arange(-(-height // rows)))[0]
