"""A job's controls: started, it can be stopped; done, it can be started again; a mistake is one line."""

import gradio as gr
import jax
import pytest

from vdiff_jax.errors import MaskError
from vdiff_jax.serve.jobs import Queue
from vdiff_jax.serve.running import Backend, Controls, follow
from vdiff_jax.serve.workspace import Workspace


@pytest.fixture
def backend(tmp_path):
    made = Backend(Queue(jax.local_devices()[:1]), Workspace(tmp_path))
    yield made
    made.queue.stop_all()


@pytest.fixture
def controls():
    return Controls(gr.Button(), gr.Button(), gr.HTML())


def watched(generator):
    """The updates, and what the generator returns."""
    updates = []
    while True:
        try:
            updates.append(next(generator))
        except StopIteration as end:
            return updates, end.value


def test_a_job_from_start_to_end(backend, controls):
    updates, job = watched(follow(backend, "page", lambda: lambda job: 42, controls))
    assert job.result == 42
    assert updates[0][controls.start].interactive is False
    assert updates[0][controls.stop].visible is True
    assert updates[-1][controls.start].interactive is True
    assert updates[-1][controls.stop].visible is False
    assert updates[-1][controls.status] == ""


def test_a_mistake_is_told_before_anything_starts(backend, controls):
    def prepare():
        raise MaskError("everything is\npainted over")

    updates, job = watched(follow(backend, "page", prepare, controls))
    assert job is None
    assert [*updates[0]] == [controls.status]
    assert "Everything is painted over" in updates[0][controls.status]


def test_a_second_job_of_a_page_is_told(backend, controls):
    backend.queue.start("page", lambda job: [job(n) for n in iter(int, 1)])
    updates, job = watched(follow(backend, "page", lambda: lambda job: 1, controls))
    assert job is None
    assert "has a job already" in updates[0][controls.status]


def test_an_error_within_the_job_has_no_result(backend, controls):
    def work(job):
        raise MaskError("the mask is black")

    updates, job = watched(follow(backend, "page", lambda: work, controls))
    assert job is None
    assert "The mask is black" in updates[-1][controls.status]
