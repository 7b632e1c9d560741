"""Stages of a run: a stage within another counts alone, threads count apart."""

import threading
import time

import pytest

from vdiff_jax.runtime import stopwatch
from vdiff_jax.runtime.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test sets it, by seconds since its start."""
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: now[0])
    return now


def test_an_inner_stage_is_not_part_of_the_outer_one(clock):
    watch = Stopwatch()
    with watch.stage("diffuse"):
        clock[0] += 3
        with watch.stage("wait"):
            clock[0] += 4
            with watch.stage("read"):
                clock[0] += 5
        clock[0] += 6
    with watch.stage("diffuse"):
        clock[0] += 1
    assert watch.seconds == {"read": 5, "wait": 4, "diffuse": 10}


def test_only_the_time_until_an_item_comes_counts(clock):
    watch = Stopwatch()

    def items():
        for _ in range(2):
            clock[0] += 2
            yield None

    for _ in watch.timed("read", items()):
        clock[0] += 100
    assert watch.seconds == {"read": 4}


def test_threads_count_apart():
    watch = Stopwatch()
    with watch.stage("outer"):
        thread = threading.Thread(target=lambda: next(watch.timed("other", iter([time.sleep(0)]))))
        thread.start()
        thread.join()
    assert set(watch.seconds) == {"outer", "other"}
    assert watch.seconds["outer"] >= watch.seconds["other"]


def test_speed_leaves_out_compilation_and_loading(clock):
    watch = Stopwatch()
    with watch.stage("load"):
        clock[0] += 2
    clock[0] += 13
    report = watch.report(50, 640, 360, compiling=5.0)
    assert (report["frames_per_second"], report["compile_seconds"]) == (6.25, 5)
    assert report["seconds"] == {"load": 2, "total": 15}
