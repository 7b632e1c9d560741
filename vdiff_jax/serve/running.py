"""The controls of a job on the page: a button that starts it, a button that stops it, and its progress."""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import gradio as gr

from vdiff_jax.errors import VdiffError
from vdiff_jax.serve.jobs import Job, Queue
from vdiff_jax.serve.status import problem, status
from vdiff_jax.serve.workspace import Workspace

Update = dict[Any, Any]
"""New values of components of the page."""


class Backend(NamedTuple):
    """What all tabs share: the queue of jobs and the folder of files."""

    queue: Queue
    workspace: Workspace


class Controls(NamedTuple):
    """The controls of a tab's job."""

    start: gr.Button
    stop: gr.Button
    status: gr.HTML


def add_controls(label: str, name: str, backend: Backend) -> Controls:
    """Adds the controls of a tab's job to the page.

    Args:
      label: what the job does, in one word.
      name: the tab's name in the identifiers of its elements.
      backend: the queue, in which the stop button stops the page's job.
    """
    with gr.Row():
        start = gr.Button(label, variant="primary", size="lg", elem_id=f"{name}-start")
        stop = gr.Button("Stop", variant="stop", size="lg", visible=False, elem_id=f"{name}-stop")
    shown = gr.HTML(elem_id=f"{name}-status")

    def end(request: gr.Request) -> str:
        job = backend.queue.stop(request.session_hash)
        return "" if job is None else status(job)

    stop.click(end, None, shown, queue=False, show_progress="hidden", api_visibility="private")
    return Controls(start, stop, shown)


def follow(
    backend: Backend, page: str | None, prepare: Callable[[], Callable[[Job], Any]], controls: Controls
) -> Generator[Update, None, Job | None]:
    """Starts a job and shows its progress until it ends.

    Args:
      backend: where it runs.
      page: the session of the open page that the job belongs to.
      prepare: checks what was entered and returns the work.
      controls: where the progress is shown.

    Yields:
      New values of components of the page.

    Returns:
      The job, or None if it was refused, was stopped or failed.
    """
    try:
        job = backend.queue.start(page, prepare())
    except VdiffError as error:
        yield {controls.status: problem(" ".join(str(error).split()))}
        return None
    yield {controls.start: gr.Button(interactive=False), controls.stop: gr.Button(visible=True)}
    for state in job.states():
        yield {controls.status: status(state)}
    yield {
        controls.start: gr.Button(interactive=True),
        controls.stop: gr.Button(visible=False),
        controls.status: status(job),
    }
    return None if job.error else job
