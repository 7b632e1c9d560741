"""The tab that repairs a video: upload, choices, plan, run, comparison, download."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from vdiff_jax.api import repair_path
from vdiff_jax.cli.report_text import closing_line
from vdiff_jax.errors import VdiffError
from vdiff_jax.serve.before_after import Pair, add_before_after
from vdiff_jax.serve.choices import ANY_PAINTING, Choices, plan_line
from vdiff_jax.serve.jobs import Job
from vdiff_jax.serve.previews import write_side_by_side
from vdiff_jax.serve.repair_inputs import add_inputs
from vdiff_jax.serve.running import Backend, Update, add_controls, follow
from vdiff_jax.serve.status import note, problem, warned
from vdiff_jax.serve.workspace import check_video

_ENDINGS = (".mp4", ".mkv", ".mov", ".webm")
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class Repaired(NamedTuple):
    """A finished job: both videos, a side-by-side preview, and the report."""

    pair: Pair
    preview: Path
    report: dict[str, Any]


def add_repair_tab(backend: Backend) -> None:
    """Adds the tab's components and events to the page."""
    video = gr.File(label="Video", elem_id="repair-video", height=140)
    with gr.Column(visible=False) as chosen:
        inputs = add_inputs(video)
    plan = gr.HTML(elem_id="repair-plan")
    controls = add_controls("Repair", "repair", backend)
    with gr.Column(visible=False, elem_id="repair-result") as result:
        done = gr.HTML(elem_id="repair-done")
        comparison = add_before_after("repair")
        download = gr.DownloadButton("Download the video", size="lg", elem_id="repair-download")

    def describe(request: gr.Request, name: str | None, *values: Any) -> str:
        if not name:
            return ""
        choices = Choices.of([*values, ANY_PAINTING])
        backend.workspace.received(request.session_hash or "", [name, choices.mask, choices.reference])
        try:
            with backend.workspace.passing_folder() as folder:
                return note(plan_line(name, choices.options(check_video(name), folder)))
        except VdiffError as error:
            return problem(str(error))

    def start(request: gr.Request, name: str | None, *values: Any) -> Iterator[Update]:
        yield {result: gr.Column(visible=False)}
        page = request.session_hash or ""
        job = yield from follow(
            backend,
            page,
            lambda: prepare(name, Choices.of(values), backend.workspace.new_folder(page, "repair")),
            controls,
        )
        if job is not None:
            pair, preview, report = job.result
            yield {
                result: gr.Column(visible=True),
                done: note(closing_line(report, pair.after).replace(str(pair.after), pair.after.name))
                + warned(job.warnings),
                download: gr.DownloadButton(value=str(pair.after)),
                **comparison.filled(pair, preview),
            }

    video.change(
        lambda name: [gr.Column(visible=bool(name)), gr.Column(visible=False), ""],
        video,
        [chosen, result, controls.status],
        **_QUIET,
    )
    described = inputs[:-1]  # the editor would send its picture at each movement of the brush
    gr.on(
        [video.change, *(component.change for component in described)],
        describe,
        [video, *described],
        plan,
        trigger_mode="always_last",
        concurrency_limit=2,
        **_QUIET,
    )
    outputs = [*controls, result, done, download, *comparison]
    controls.start.click(start, [video, *inputs], outputs, concurrency_limit=None, **_QUIET)


def prepare(video: str | None, choices: Choices, folder: Path) -> Callable[[Job], Repaired]:
    """Checks what was chosen and returns the work.

    Args:
      video: the upload.
      choices: what was chosen.
      folder: where the results are written.

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the video or the choices.
    """
    options = choices.options(check_video(video), folder)
    source = Path(video or "")
    ending = source.suffix.lower() if source.suffix.lower() in _ENDINGS else ".mp4"
    target = folder / f"{source.stem}-repaired{ending}"

    def work(job: Job) -> Repaired:
        report = repair_path(source, target, progress=job, **options)
        pair = Pair.of(source, target, slow=float(options.get("slow", 1)))
        job.begin("preparing the comparison")
        job.total = pair.preview_frames
        preview = write_side_by_side(source, target, folder / "preview.mp4", slow=pair.slow, progress=job)
        return Repaired(pair, preview, report)

    return work
