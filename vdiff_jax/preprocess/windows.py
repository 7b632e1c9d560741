"""Spatial windows: bands of rows with a halo, so that a large frame takes no more memory than one band."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

Tree = TypeVar("Tree")


def first_row(index: Int[Array, "*b"], rows: int, halo: int, height: int) -> tuple[Array, Array]:
    """The first row of window number `index`, and the first of the rows that are its own.

    Windows have `rows + 2 * halo` rows and lie inside the frame. The last one's own rows overlap the previous ones.
    """
    own = jnp.minimum(index * rows, height - rows)
    return jnp.clip(own - halo, 0, height - rows - 2 * halo), own


def cut(tree: Tree, start: Int[Array, ""], rows: int, height: int) -> Tree:
    """A band of rows of each leaf `*b h w c`.

    Args:
      tree: leaves of the frame's height, or on coarser grids that divide it.
      start: the band's first row in the frame; a multiple of the coarsest grid's step.
      rows: the band's height in rows of the frame; likewise a multiple.
      height: the frame's height.
    """

    def cut_leaf(leaf: Array) -> Array:
        factor = height // leaf.shape[-3]
        return lax.dynamic_slice_in_dim(leaf, start // factor, rows // factor, axis=leaf.ndim - 3)

    return jax.tree.map(cut_leaf, tree)
