"""Devices: the one place that knows how many there are."""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from vdiff_jax.errors import ConfigError

AXIS = "data"
Tree = TypeVar("Tree")


def data_parallel(step: Callable, *, donate: tuple[int, ...] = (0,)) -> Callable:
    """A step (state, batch) -> (state, metrics) for one device, with `lax.pmean` over `AXIS`, on all of them."""
    return jax.pmap(step, axis_name=AXIS, donate_argnums=donate)


def replicate(tree: Tree) -> Tree:
    """A copy of each array for each local device, on a leading axis."""
    devices = jax.local_device_count()
    stacked = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (devices, *leaf.shape)), tree)
    return jax.pmap(lambda leaves: leaves)(stacked)


def first(tree: Tree) -> Tree:
    """The first device's copy, as host arrays."""
    return jax.tree.map(lambda leaf: jax.device_get(leaf[0]), tree)


def split(batch: Tree) -> Tree:
    """This process's batch split over its devices: b ... to devices b/devices ... ."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda leaf: leaf.reshape(devices, leaf.shape[0] // devices, *leaf.shape[1:]), batch)


def check_batch(batch: int) -> None:
    """Raises ConfigError where the devices do not divide the batch."""
    if batch % jax.device_count():
        raise ConfigError(
            f"data.batch {batch} is not a multiple of {jax.device_count()} devices: take {_multiple(batch)}"
        )


def _multiple(batch: int) -> int:
    return -(-batch // jax.device_count()) * jax.device_count()
