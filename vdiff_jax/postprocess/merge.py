"""Merges windows of a frame."""

from typing import TypeVar

import jax
from jax import lax
from jaxtyping import Array, Int

Tree = TypeVar("Tree")


def paste(whole: Tree, part: Tree, start: Int[Array, ""], height: int) -> Tree:
    """The leaves `*b h w c` with rows from `start` on replaced, as `preprocess.windows.cut` cuts them."""

    def paste_leaf(leaf: Array, new: Array) -> Array:
        factor = height // leaf.shape[-3]
        return lax.dynamic_update_slice_in_dim(leaf, new, start // factor, axis=leaf.ndim - 3)

    return jax.tree.map(paste_leaf, whole, part)
