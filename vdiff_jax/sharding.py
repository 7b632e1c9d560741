"""Devices and processes: the one place that knows how many there are."""

import glob
import importlib.util
import os
import queue
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from vdiff_jax.errors import ClusterError, ConfigError

AXIS = "data"
Tree = TypeVar("Tree")
Item = TypeVar("Item")
Result = TypeVar("Result")


def connect(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None, *, seconds: int = 300
) -> None:
    """Joins the other processes of the run, if there are any; call it before anything is computed.

    On the CPU, what a thread computes from here on runs in that thread: what prepares the next batch does not queue up
    behind the training step.

    What is left out is taken from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, then from what Cloud
    TPU or SLURM says.

    Args:
      coordinator: process 0's address, host:port.
      processes: how many there are.
      process: which one this is, from 0.
      seconds: to wait for the others.

    Raises:
      ConfigError: an address without the numbers, or numbers that don't fit.
      ClusterError: the coordinator or the other processes can't be reached in time.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    processes = _number(processes, "JAX_NUM_PROCESSES")
    process = _number(process, "JAX_PROCESS_ID")
    if coordinator is None:
        if not _in_cluster():
            return
    elif None in (processes, process) and not _in_cluster():
        raise ConfigError(f"coordinator {coordinator}: say also how many --processes there are and which --process")
    elif processes is not None and process is not None and not 0 <= process < processes:
        raise ConfigError(f"--process {process} of {processes}: take 0 to {processes - 1}")
    begun = time.monotonic()
    if coordinator is not None and processes is not None and process is not None:
        _meet(coordinator, processes, process, begun + seconds)
    left = max(1, round(begun + seconds - time.monotonic()))
    try:
        jax.distributed.initialize(coordinator, processes, process, initialization_timeout=left)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        place = coordinator or "the coordinator"
        raise ClusterError(f"{place}: not all processes met within {seconds} s ({reason})") from error


def several() -> bool:
    """Whether this is one of several processes."""
    return jax.process_count() > 1


def preempted(step: int) -> bool:
    """Whether the processes have agreed to stop after this step because one of them was told to; ask at each step."""
    return several() and multihost_utils.reached_preemption_sync_point(step)


def leads() -> bool:
    """Whether this is the process that writes what is written once."""
    return jax.process_index() == 0


def over_devices(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) for each item, in order; as many at a time as there are local devices, each on one of its own."""
    devices = jax.local_devices()
    if len(devices) == 1:
        yield from map(function, items)
        return
    free: queue.SimpleQueue = queue.SimpleQueue()
    for device in devices:
        free.put(device)

    def on_a_free_one(item: Item) -> Result:
        device = free.get()
        try:
            with jax.default_device(device):
                return function(item)
        finally:
            free.put(device)

    with ThreadPoolExecutor(len(devices)) as threads:
        yield from threads.map(on_a_free_one, items)


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
    return jax.tree.map(lambda leaf: jax.device_get(leaf.addressable_shards[0].data[0]), tree)


def split(batch: Tree) -> Tree:
    """This process's batch split over its devices: b ... to devices b/devices ... ."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda leaf: leaf.reshape(devices, leaf.shape[0] // devices, *leaf.shape[1:]), batch)


def check_batch(batch: int, parts: int = 1) -> None:
    """Raises ConfigError where the devices, each of which takes its share in `parts` parts, do not divide the batch."""
    unit = jax.device_count() * parts
    if batch % unit:
        each = f" times {parts} parts" if parts > 1 else ""
        devices, nearest = jax.device_count(), -(-batch // unit) * unit
        raise ConfigError(f"data.batch {batch} is not a multiple of {devices} devices{each}: take {nearest}")


def _number(given: int | None, name: str) -> int | None:
    text = os.environ.get(name)
    if given is not None or text is None:
        return given
    if not text.isdecimal():
        raise ConfigError(f"{name} is {text!r}: give a number")
    return int(text)


def _in_cluster() -> bool:
    """Whether SLURM started several tasks, or this is a machine with TPUs, which JAX asks for the others."""
    if "SLURM_PROCID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return True
    attached = glob.glob("/dev/accel[0-9]*") + glob.glob("/dev/vfio/[0-9]*")
    return bool(attached) and importlib.util.find_spec("libtpu") is not None


def _meet(address: str, processes: int, process: int, deadline: float) -> None:
    """Waits until all are there: process 0 listens for the others. JAX by itself would abort the program instead."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise ConfigError(f"coordinator {address!r} is no host:port")
    if process:
        return _call((host, int(port)), process, deadline)
    missing = set(range(1, processes))
    try:
        with socket.create_server(("", int(port))) as server:
            while missing:
                server.settimeout(max(0.01, deadline - time.monotonic()))
                caller, _ = server.accept()
                with caller:
                    missing -= {int.from_bytes(caller.recv(4))}
    except TimeoutError as error:
        names = ", ".join(map(str, sorted(missing)))
        raise ClusterError(f"coordinator {address}: process {names} of {processes} did not call in time") from error
    except OSError as error:
        raise ClusterError(f"coordinator {address}: can't listen there ({error})") from error


def _call(address: tuple[str, int], process: int, deadline: float) -> None:
    """Tells the coordinator that this process is there, as soon as it listens."""
    while True:
        try:
            with socket.create_connection(address, timeout=5) as caller:
                return caller.sendall(process.to_bytes(4))
        except OSError as error:
            if time.monotonic() + 0.5 > deadline:
                name = f"{address[0]}:{address[1]}"
                raise ClusterError(f"coordinator {name} can't be reached by process {process} ({error})") from error
            time.sleep(0.5)
