"""Spatial windows: bands of rows, each with a halo, so that a large frame takes no more memory than a band does."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

Tree = TypeVar("Tree")


def first_row(index: Int[Array, ""], rows: int, halo: int, height: int) -> tuple[Array, Array]:
    """Where window number `index` begins, and where the rows begin that are its own.

    Windows of `rows + 2 * halo` rows lie inside the frame; the last one's own rows overlap those before.
    """
    own = jnp.minimum(index * rows, height - rows)
    return jnp.clip(own - halo, 0, height - rows - 2 * halo), own


def cut(tree: Tree, start: Int[Array, ""], rows: int, height: int) -> Tree:
    """Rows of each leaf `*b h w c`; start, rows and height are those of a leaf as high as `height`.

    Leaves on coarser grids are cut where they cover the same rows, which must begin and end between theirs.
    """

    def cut_leaf(leaf: Array) -> Array:
        factor = height // leaf.shape[-3]
        return lax.dynamic_slice_in_dim(leaf, start // factor, rows // factor, axis=leaf.ndim - 3)

    return jax.tree.map(cut_leaf, tree)
