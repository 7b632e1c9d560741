"""Jobs run one at a time in their order, stop at the next frame, and end in one line."""

import threading

import jax
import pytest

from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.serve.jobs import Job, Queue


@pytest.fixture
def queue():
    made = Queue(jax.local_devices()[:1])
    yield made
    made.stop_all()


def endless(job):
    number = 0
    while True:
        number += 1
        job(number)


def test_a_second_job_waits_for_the_first(queue):
    begun, go_on = threading.Event(), threading.Event()

    def first_work(job):
        begun.set()
        go_on.wait(10)
        return "first"

    first = queue.start("a", first_work)
    assert begun.wait(10)
    second = queue.start("b", lambda job: go_on.is_set())
    third = queue.start("c", lambda job: "third")
    assert [first.ahead, second.ahead, third.ahead] == [0, 1, 2]
    assert not second.wait(0.1)
    go_on.set()
    assert all(job.wait(10) for job in (first, second, third))
    assert (first.result, second.result, third.result) == ("first", True, "third")


def test_as_many_jobs_run_as_there_are_devices():
    meeting = threading.Barrier(2, timeout=10)
    queue = Queue([jax.local_devices()[0]] * 2)
    jobs = [queue.start(owner, lambda job: meeting.wait()) for owner in "ab"]
    assert all(job.wait(10) and not job.error for job in jobs)


def test_a_page_has_one_job(queue):
    queue.start("a", endless)
    with pytest.raises(OptionError, match="has a job already"):
        queue.start("a", endless)


def test_a_stopped_job_ends_at_its_next_frame_and_the_next_one_begins(queue):
    first, second = queue.start("a", endless), queue.start("b", lambda job: "done")
    queue.stop("a")
    assert first.wait(10)
    assert first.error == "Stopped."
    assert second.wait(10)
    assert second.result == "done"
    assert queue.stop("a") is None


def test_a_waiting_job_that_is_stopped_never_begins(queue):
    begun = []
    queue.start("a", endless)
    second = queue.start("b", begun.append)
    queue.stop("b")
    assert second.wait(10)
    assert second.error == "Stopped."
    assert not begun


def test_errors_become_one_line(caplog):
    def named(job):
        raise InputError("a line\n  and another")

    def unforeseen(job):
        raise ZeroDivisionError("secret/path")

    def full(job):
        raise MemoryError

    jobs = [Job(work) for work in (named, unforeseen, full)]
    for job in jobs:
        job.run()
    assert jobs[0].error == "a line and another"
    assert "ZeroDivisionError" in jobs[1].error
    assert "secret" not in jobs[1].error
    assert "memory is full" in jobs[2].error


def test_warnings_are_collected():
    import logging

    job = Job(lambda job: logging.getLogger("vdiff_jax.anything").warning("mind this"))
    job.run()
    assert job.warnings == ["mind this"]
