"""Runs the page's jobs: one at a time on each device. The others wait in order."""

import collections
import itertools
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from vdiff_jax.errors import OptionError, VdiffError
from vdiff_jax.runtime.progress import Listener
from vdiff_jax.runtime.warning_log import collected_warnings

log = logging.getLogger(__name__)

_PERIOD = 0.25
"""Seconds between two updates of a job's progress on the page."""


class Stopped(KeyboardInterrupt):
    """A job was stopped. It is a KeyboardInterrupt, so that a job closes what it opened, as after Ctrl-C."""


class Job(Listener):
    """One job: what it does, how far it is, and how it ended.

    Args:
      work: does the job. It is called with the job, to which it reports its progress.

    Attributes:
      ahead: how many jobs come before this one; 0 if it runs or has ended.
      stage: the name of the present stage.
      frames, total: the frames that are done in this stage, and their number in all (None: unknown).
      first: when this stage's first frames were done, in seconds of `time.monotonic`, and how many; None before that.
      plan: what was measured and what is done, in one line; "" before the plan is made.
      result: the return value of `work`.
      error: why there is no result, in one line; "" if there is one.
      warnings: what the package has warned of.
    """

    FIRST_STAGE = "reading and compiling"

    def __init__(self, work: "Callable[[Job], Any]"):
        self.work = work
        self.ahead = 0
        self.stage, self.frames, self.total = self.FIRST_STAGE, 0, None
        self.first: tuple[float, int] | None = None
        self.plan = ""
        self.result: Any = None
        self.error = ""
        self.warnings: list[str] = []
        self._stop, self._done = threading.Event(), threading.Event()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._done.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Makes the job end at its next frame."""
        self._stop.set()

    def wait(self, seconds: float | int | None = None) -> bool:
        """Waits until the job has ended, at most `seconds`; returns whether it has ended."""
        return self._done.wait(seconds)

    def expect(self, frames: int | None, plan: str) -> None:
        self.total, self.plan = frames, plan
        self._check()

    def begin(self, stage: str) -> None:
        self.stage, self.frames, self.first = stage, 0, None
        self._check()

    def __call__(self, frames: int) -> None:
        self._check()
        self.first = self.first or (time.monotonic(), frames)
        self.frames = frames

    def states(self) -> Iterator["Job"]:
        """Yields the job four times a second until it has ended."""
        while not self.wait(_PERIOD):
            yield self

    def run(self) -> None:
        """Does the work. An error is stored in `error`; an unexpected one is also logged with its traceback."""
        try:
            with collected_warnings() as self.warnings:
                self._check()
                self.result = self.work(self)
        except KeyboardInterrupt:
            self.error = "Stopped."
        except VdiffError as error:
            self.error = " ".join(str(error).split())
        except MemoryError:
            self.error = "The memory is full: close other programs, or choose a smaller scale."
        except Exception as error:
            log.exception("a job has failed")
            self.error = f"It has failed unexpectedly ({type(error).__name__}): the terminal shows the details."
        finally:
            self._done.set()

    def _check(self) -> None:
        if self.stopping:
            raise Stopped


class Queue:
    """Runs jobs, each in a thread: one at a time on each device, in the order in which they came.

    Args:
      devices: JAX devices.
    """

    def __init__(self, devices: Sequence[Any]):
        self._free = list(devices)
        self._changed = threading.Condition()
        self._waiting: collections.deque[Job] = collections.deque()
        self._jobs: dict[Hashable, Job] = {}

    def start(self, owner: Hashable, work: Callable[[Job], Any]) -> Job:
        """Adds a job to the queue; it starts as soon as a device is free.

        Args:
          owner: the session of the open page that the job belongs to.
          work: does the job.

        Raises:
          OptionError: the owner has a job already.
        """
        job = Job(work)
        with self._changed:
            if owner in self._jobs:
                raise OptionError("this page has a job already: wait for its end, or stop it")
            self._jobs[owner] = job
            self._waiting.append(job)
            self._count()
        threading.Thread(target=self._run, args=(owner, job), daemon=True, name="vdiff job").start()
        return job

    def stop(self, owner: Hashable) -> Job | None:
        """Stops the owner's job and returns it; None if there is none."""
        with self._changed:
            job = self._jobs.get(owner)
            if job is not None:
                job.stop()
            self._changed.notify_all()
        return job

    def stop_all(self) -> None:
        """Stops all jobs and waits until they have ended."""
        for owner, job in list(self._jobs.items()):
            self.stop(owner)
            job.wait(30)

    def _run(self, owner: Hashable, job: Job) -> None:
        import jax

        with self._changed:
            self._changed.wait_for(lambda: job.stopping or (self._free and self._waiting[0] is job))
            device = None if job.stopping else self._free.pop()
            self._waiting.remove(job)
            self._count()
            self._changed.notify_all()
        try:
            with jax.default_device(device):
                job.run()
        finally:
            with self._changed:
                del self._jobs[owner]
                if device is not None:
                    self._free.append(device)
                self._changed.notify_all()

    def _count(self) -> None:
        for job, ahead in zip(self._waiting, itertools.count(0 if self._free else 1)):
            job.ahead = ahead
        for job in self._jobs.values():
            if job not in self._waiting:
                job.ahead = 0
