"""Merges the windows of a frame, the inverse of `preprocess.windows`."""

from typing import TypeVar

import jax
from jax import lax
from jaxtyping import Array, Int

Tree = TypeVar("Tree")


def paste(whole: Tree, part: Tree, start: Int[Array, ""], height: int) -> Tree:
    """Each leaf `*b h w c` with the rows of a band replaced.

    Args:
      whole: leaves of the frame's height, or on coarser grids that divide it.
      part: the band of each leaf, as `preprocess.windows.cut` cuts it.
      start: the band's first row in the frame.
      height: the frame's height.
    """

    def paste_leaf(leaf: Array, new: Array) -> Array:
        factor = height // leaf.shape[-3]
        return lax.dynamic_update_slice_in_dim(leaf, new, start // factor, axis=leaf.ndim - 3)

    return jax.tree.map(paste_leaf, whole, part)
