"""What the page says of a job."""

import time

from vdiff_jax.serve.jobs import Job
from vdiff_jax.serve.status import note, problem, status, table, warned


def test_a_job_goes_through_its_states():
    job = Job(lambda job: None)
    assert "Reading and compiling" in status(job)
    job.ahead = 2
    assert "Waiting: 2 other jobs first" in status(job)
    job.ahead = 0
    job.expect(60, "a plan")
    job(10)
    job.first = (time.monotonic() - 2, 0)
    shown = status(job)
    assert "width: 16.7%" in shown
    assert "10 of 60 frames, 5 frames/s, 0:10 left" in shown
    job.begin("fitting")
    job(3)
    assert "Fitting: 3 of 60" in status(job)
    job.stop()
    assert "Stopping" in status(job)
    job.run()
    assert status(job) == problem("Stopped.")


def test_a_job_that_is_done_says_nothing():
    job = Job(lambda job: 1)
    job.run()
    assert status(job) == ""


def test_the_name_of_a_file_stays_as_it_is():
    assert ">letter.mp4 is not a video<" in problem("letter.mp4 is not a video")
    assert ">There is no video yet<" in problem("there is no video yet")


def test_nothing_is_read_as_html():
    evil = "<img src=x onerror=alert(1)>"
    for shown in (problem(evil), note(evil), warned([evil]), table({evil: evil})):
        assert "<img" not in shown
        assert "&lt;img" in shown
