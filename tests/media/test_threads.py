"""The queues between threads."""

import subprocess
import sys
import threading
import time

import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media.threads import Prefetch, WriteQueue, prefetched


def test_closing_stops_the_iteration():
    made = []
    ahead = Prefetch((made.append(i) or i for i in range(1_000_000)), depth=2)
    assert next(iter(ahead)) == 0
    ahead.close()
    assert len(made) < 1000


def test_prefetch_keeps_to_its_depth_and_passes_errors_on():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i
        raise InputError("broken at the end")

    ahead = Prefetch(items(), depth=3)
    stream = iter(ahead)
    assert next(stream) == 0
    time.sleep(0.2)
    assert len(made) <= 1 + 3 + 1 + 1
    seen = [next(stream) for _ in range(99)]
    assert seen == list(range(1, 100))
    with pytest.raises(InputError, match="broken at the end"):
        next(stream)
    ahead.close()


def test_a_failing_consumer_stops_the_queue():
    taken = []

    def consume(item):
        taken.append(item)
        if item == 2:
            raise OutputError("disk full")

    write_queue = WriteQueue(consume, depth=2)
    with pytest.raises(OutputError, match="disk full"):  # noqa: PT012
        for item in range(1000):
            write_queue.put(item)
        write_queue.finish()
    write_queue.stop()
    assert taken == [0, 1, 2]


def counted(closed, *, fail_at=None):
    """0, 1, 2, ...; sets `closed` when it is closed."""
    try:
        number = 0
        while number != fail_at:
            yield number
            number += 1
        raise ValueError("item 3 is broken")
    finally:
        closed.set()


def test_the_thread_and_its_items_end_with_the_iterator():
    closed, before = threading.Event(), threading.active_count()
    ahead = prefetched(counted(closed), depth=2)
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    assert not closed.is_set()
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_an_error_reaches_the_caller_after_the_items_before_it():
    closed, got = threading.Event(), []
    with pytest.raises(ValueError, match="item 3"):
        got.extend(prefetched(counted(closed, fail_at=3), depth=2))
    assert closed.is_set()


def test_nested_threads_end_together():
    closed, before = threading.Event(), threading.active_count()
    outer = prefetched(prefetched(counted(closed), depth=1), depth=1)
    assert next(outer) == 0
    outer.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_a_thread_that_nobody_closed_stops_before_the_program_ends():
    code = (
        "import itertools, time\nfrom vdiff_jax.media.threads import Prefetch\n"
        "def items():\n    try:\n        for n in itertools.count():\n"
        "            time.sleep(0.05)\n            yield n\n"
        "    finally:\n        print('stopped', flush=True)\n"
        "Prefetch(items(), 2)\ntime.sleep(0.3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "stopped\n")
