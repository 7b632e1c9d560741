"""The workers of a Ray cluster: one on each device. Only this module imports Ray."""

import contextlib
import logging
import os
import socket
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from vdiff_jax.cluster.coordinator import Died
from vdiff_jax.cluster.worker import Answer
from vdiff_jax.errors import ClusterError, MissingError
from vdiff_jax.runtime.version import __version__

log = logging.getLogger(__name__)

REACH_SECONDS = 15
"""Seconds to wait for an answer from a cluster's address."""
READY_SECONDS = 300
"""Seconds to wait for a free worker before the run fails."""
_STARTS = 3
"""A device counts as broken after this many workers have died on it."""


def ray_module() -> Any:
    """Imports Ray, with its usage statistics turned off.

    Raises:
      MissingError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingError("--cluster needs Ray: pip install 'vdiff_jax[cluster]'") from error
    return ray


class RayPool:
    """The workers of a cluster. A context manager that disconnects from the cluster at its end.

    Args:
      address: as for `batch.repair_videos`.

    Raises:
      MissingError: Ray is not installed.
      ClusterError: no cluster answers at the address.
    """

    def __init__(self, address: str = "auto"):
        self._ray, self._address = ray_module(), address
        self._actor_class = None
        self._workers: dict[Any, tuple[str, int]] = {}  # each worker's node and device
        self._starting: dict[Any, Any] = {}  # by the Ray reference of its call of `version`
        self._idle: list[Any] = []
        self._assignments: dict[Any, Any] = {}  # the worker of each assignment, by the assignment's Ray reference
        self._starts: Counter[tuple[str, int]] = Counter()
        self._refused: dict[tuple[str, int], str] = {}
        self._alone_since = time.monotonic()
        if address != "auto":
            _reach(address)
        try:
            self._connect(address)
        except Exception as error:  # Ray raises many kinds
            raise ClusterError(f"the cluster at {address} can't be used: {_one_line(error)}") from error

    def _connect(self, address: str) -> None:
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self._ray.is_initialized():
            return
        if address != "auto":
            self._ray.init(address, **quiet)
            return
        try:
            self._ray.init("auto", **quiet)
        except ConnectionError:
            self._ray.init("local", include_dashboard=False, **quiet)

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(Exception):
            self._ray.shutdown()

    def idle(self) -> list[Any]:
        """The workers that can take an assignment."""
        self._start_workers()
        self._welcome()
        if self._idle or self._assignments:
            self._alone_since = time.monotonic()
        elif not self._starting and self._refused:
            raise ClusterError("; ".join(dict.fromkeys(self._refused.values())))
        elif time.monotonic() - self._alone_since > READY_SECONDS:
            raise ClusterError(f"the cluster at {self._address} has had no free worker for {READY_SECONDS} s")
        elif not self._starting:
            time.sleep(0.5)
        return list(self._idle)

    def submit(self, worker: Any, method: str, *arguments: Any) -> None:
        """Starts a method of `Worker` on a worker."""
        self._idle.remove(worker)
        self._assignments[worker.call.remote(method, arguments)] = worker

    def finished(self, seconds: float) -> list[tuple[Any, Answer | Died]]:
        """The workers that have finished an assignment, or have died."""
        if not self._assignments:
            return []
        ready, _ = self._ray.wait([*self._assignments, *self._starting], num_returns=1, timeout=seconds)
        found = []
        for reference in (each for each in ready if each in self._assignments):
            worker = self._assignments.pop(reference)
            try:
                answer = self._ray.get(reference)
                self._idle.append(worker)
            except self._ray.exceptions.RayError as error:
                node = self._workers.pop(worker)[0]
                answer = Died(_one_line(error)[:200])
                log.warning("the worker on node %s died: its assignment is given to another", node[:8])
            found.append((worker, answer))
        return found

    def running_frames(self) -> int:
        """How many frames of the running assignments are done. Workers that don't answer within 0.5 s count as 0."""
        asked = [worker.frames.remote() for worker in self._assignments.values()]
        ready, _ = self._ray.wait(asked, num_returns=len(asked), timeout=0.5) if asked else ([], [])
        count = 0
        for reference in ready:
            with contextlib.suppress(self._ray.exceptions.RayError):
                count += self._ray.get(reference)
        return count

    def _start_workers(self) -> None:
        """Starts a worker on each device that has none."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        taken = {*self._workers.values(), *self._refused}
        for node in (each for each in self._ray.nodes() if each["Alive"]):
            place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            for number, resources in enumerate(_devices(node["Resources"])):
                device = node["NodeID"], number
                if device in taken:
                    continue
                self._starts[device] += 1
                if self._starts[device] > _STARTS:
                    self._refused[device] = f"{node['NodeManagerHostname']}: {_STARTS} workers died there"
                    log.warning("%s", self._refused[device])
                    continue
                self._actor_class = self._actor_class or self._ray.remote(max_concurrency=2)(_actor())
                worker = self._actor_class.options(**resources, scheduling_strategy=place).remote()
                self._workers[worker] = device
                self._starting[worker.version.remote()] = worker

    def _welcome(self) -> None:
        """Adds started workers of this version to the idle ones, and refuses those of other versions."""
        if not self._starting:
            return
        seconds = 0 if self._idle or self._assignments else 1
        ready, _ = self._ray.wait(list(self._starting), num_returns=len(self._starting), timeout=seconds)
        for reference in ready:
            worker = self._starting.pop(reference)
            try:
                host, found = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                log.debug("a worker could not be started: %s", error)
                self._workers.pop(worker)
                continue
            if found == __version__:
                self._idle.append(worker)
                continue
            seen = "no vdiff_jax" if found is None else f"vdiff_jax {found}"
            self._refused[self._workers.pop(worker)] = (
                f"{host} has {seen}: pip install vdiff_jax=={__version__} there, the version of this machine"
            )
            log.warning("%s", f"{host} is not used: it has {seen}, this machine has {__version__}")


def _devices(resources: dict[str, float]) -> list[dict[str, Any]]:
    """The resources of one Ray actor for each device of a node: a GPU, a TPU chip, or else all processors."""
    for name, ask in (("GPU", {"num_gpus": 1}), ("TPU", {"resources": {"TPU": 1}})):
        if resources.get(name, 0) >= 1:
            return [ask] * int(resources[name])
    return [{"num_cpus": resources["CPU"]}] if resources.get("CPU", 0) >= 1 else []


def _actor() -> type:
    """The class that runs on a device. Ray sends its code along, so it also starts where vdiff_jax is missing."""

    class Device:
        def __init__(self) -> None:
            self._worker = None

        def version(self) -> tuple[str, str | None]:
            """The machine's name, and its version of this package; `None` without the package."""
            import platform

            try:
                from vdiff_jax.runtime.version import __version__ as found
            except ImportError:
                return platform.node(), None
            return platform.node(), found

        def call(self, method: str, arguments: tuple) -> Any:
            from vdiff_jax.cluster.worker import Worker

            self._worker = self._worker or Worker()
            return getattr(self._worker, method)(*arguments)

        def frames(self) -> int:
            return 0 if self._worker is None else self._worker.frames

    return Device


def _reach(address: str) -> None:
    """Raises ClusterError if nothing listens at an address."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=REACH_SECONDS).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or error
        raise ClusterError(
            f"no cluster answers at {address} within {REACH_SECONDS} s ({reason}): check the address, and that "
            "its head node runs Ray's client server"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
