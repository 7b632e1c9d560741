"""Devices and processes: starting several processes, data-parallel training, work shared by the local devices."""

import glob
import importlib.util
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from vdiff_jax.errors import ClusterError, ConfigError

CPU_PROGRAM = threading.RLock()
"""Held while a large program runs on the CPU: two at once can wait for each other's threads for ever."""
AXIS = "data"
"""The name of the axis of devices in `data_parallel`."""
Tree = TypeVar("Tree")
Item = TypeVar("Item")
Result = TypeVar("Result")


def connect(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None, *, seconds: int = 300
) -> None:
    """Connects the processes of a training run, if there are several. Call it before JAX computes anything.

    An argument that is `None` is read from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES or JAX_PROCESS_ID, else from
    Cloud TPU or SLURM.

    It also turns asynchronous dispatch on the CPU off. Each thread then computes for itself, and the threads that
    prepare the next batch do not queue up behind the training step.

    Args:
      coordinator: the address of process 0, host:port.
      processes: the number of processes.
      process: the number of this one, from 0.
      seconds: how long to wait for the others.

    Raises:
      ConfigError: an address without the two numbers, or numbers that do not fit each other.
      ClusterError: the coordinator or another process was not reached in time.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    processes = _number(processes, "JAX_NUM_PROCESSES")
    process = _number(process, "JAX_PROCESS_ID")
    if coordinator is None:
        if not _in_cluster():
            return
    elif None in (processes, process) and not _in_cluster():
        raise ConfigError(f"coordinator {coordinator} alone is not enough: pass --processes N and --process I as well")
    elif processes is not None and process is not None and not 0 <= process < processes:
        raise ConfigError(f"--process {process} is not one of {processes}: pass 0 to {processes - 1}")
    begun = time.monotonic()
    if coordinator is not None and processes is not None and process is not None:
        _meet(coordinator, processes, process, begun + seconds)
    left = max(1, round(begun + seconds - time.monotonic()))
    try:
        jax.distributed.initialize(coordinator, processes, process, initialization_timeout=left)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        place = coordinator or "the coordinator"
        raise ClusterError(f"{place}: not all processes connected within {seconds} s ({reason})") from error


def multi_process() -> bool:
    """Whether the run has several processes."""
    return jax.process_count() > 1


def preempted(step: int) -> bool:
    """Whether all processes are to stop after this step, because one of them got SIGTERM. Ask at each step."""
    return multi_process() and multihost_utils.reached_preemption_sync_point(step)


def is_first_process() -> bool:
    """Whether this is process 0, which writes the files of the run."""
    return jax.process_index() == 0


def over_devices(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) for each item, in order. As many run at a time as there are local devices, each on its own."""
    devices = jax.local_devices()
    if len(devices) == 1:
        yield from map(function, items)
        return
    free: queue.SimpleQueue = queue.SimpleQueue()
    for device in devices:
        free.put(device)

    def on_free_device(item: Item) -> Result:
        device = free.get()
        try:
            with jax.default_device(device):
                return function(item)
        finally:
            free.put(device)

    with ThreadPoolExecutor(len(devices)) as threads:
        yield from threads.map(on_free_device, items)


def data_parallel(step: Callable, *, donate: tuple[int, ...] = (0,)) -> Callable:
    """A step (state, batch) -> (state, metrics) on all devices; it is written for one, with `lax.pmean` over `AXIS`."""
    return jax.pmap(step, axis_name=AXIS, donate_argnums=donate)


def replicate(tree: Tree) -> Tree:
    """The tree with a copy of each array on each local device, on a leading axis.

    Its axis has the name that it has in `data_parallel`: with another name the step would be compiled twice.
    """
    devices = jax.local_device_count()
    stacked = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (devices, *leaf.shape)), tree)
    return jax.pmap(lambda leaves: leaves, axis_name=AXIS)(stacked)


def unreplicate(tree: Tree) -> Tree:
    """The first device's copy of a replicated tree, as arrays on the host."""
    return jax.tree.map(lambda leaf: jax.device_get(leaf.addressable_shards[0].data[0]), tree)


def shard(batch: Tree) -> Tree:
    """This process's batch, `b ...`, split over its devices: `devices b/devices ...`."""
    devices = jax.local_device_count()
    return jax.tree.map(lambda leaf: leaf.reshape(devices, leaf.shape[0] // devices, *leaf.shape[1:]), batch)


def check_batch(batch: int, parts: int = 1) -> None:
    """Raises ConfigError unless the batch can be split over all devices, and each device's share into `parts`."""
    unit = jax.device_count() * parts
    if batch % unit:
        each = f" times {parts} parts" if parts > 1 else ""
        devices, nearest = jax.device_count(), -(-batch // unit) * unit
        raise ConfigError(f"data.batch {batch} is not a multiple of {devices} devices{each}: pass {nearest}")


def _number(given: int | None, name: str) -> int | None:
    text = os.environ.get(name)
    if given is not None or text is None:
        return given
    if not text.isdecimal():
        raise ConfigError(f"the environment variable {name} is {text!r}: set it to a number")
    return int(text)


def _in_cluster() -> bool:
    """Whether SLURM started several tasks, or this machine has TPUs, which tell JAX of the other processes."""
    if "SLURM_PROCID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return True
    attached = glob.glob("/dev/accel[0-9]*") + glob.glob("/dev/vfio/[0-9]*")
    return bool(attached) and importlib.util.find_spec("libtpu") is not None


def _meet(address: str, processes: int, process: int, deadline: float) -> None:
    """Waits until all processes run: process 0 listens, the others call it. JAX itself would abort the program."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise ConfigError(f"coordinator {address!r} is not an address: pass host:port, such as 10.0.0.2:8476")
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
        raise ClusterError(f"coordinator {address}: process {names} of {processes} did not connect in time") from error
    except OSError as error:
        raise ClusterError(f"coordinator {address}: process 0 cannot listen there ({error})") from error


def _call(address: tuple[str, int], process: int, deadline: float) -> None:
    """Tells the coordinator that this process runs, as soon as the coordinator listens."""
    while True:
        try:
            with socket.create_connection(address, timeout=5) as caller:
                return caller.sendall(process.to_bytes(4))
        except OSError as error:
            if time.monotonic() + 0.5 > deadline:
                name = f"{address[0]}:{address[1]}"
                raise ClusterError(f"process {process} did not reach the coordinator {name} ({error})") from error
            time.sleep(0.5)
