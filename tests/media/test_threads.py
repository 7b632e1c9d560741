"""The queues between threads."""

import time

import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media.threads import Prefetch, WriteQueue


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
