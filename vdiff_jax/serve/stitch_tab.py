"""The tab that stitches videos: a panorama of cameras, or one film of clips."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from vdiff_jax import media
from vdiff_jax.cli.report_text import closing_line
from vdiff_jax.errors import InputError
from vdiff_jax.serve.jobs import Job
from vdiff_jax.serve.previews import SECONDS, write_preview
from vdiff_jax.serve.running import Backend, Update, add_controls, follow
from vdiff_jax.serve.status import note, player, warned
from vdiff_jax.serve.workspace import check_video
from vdiff_jax.stitching.stitch import stitch

LAYOUTS = {"Automatic": "auto", "Side by side": "panorama", "One after another": "sequence"}
BLACK, CROP, FILL = "Leave black", "Crop", "Fill in"
"""The choices for the parts of the panorama that no camera covers."""


class StitchedFile(NamedTuple):
    """A finished job: the file, its preview and the report."""

    path: Path
    preview: Path
    report: dict[str, Any]


def add_stitch_tab(backend: Backend) -> None:
    """Adds the tab's components and events to the page."""
    videos = gr.File(
        label="Two or more videos, in order", file_count="multiple", allow_reordering=True, elem_id="stitch-videos"
    )
    with gr.Row():
        layout = gr.Radio(list(LAYOUTS.items()), value="auto", label="Layout", min_width=420)
        edge = gr.Radio([BLACK, CROP, FILL], value=BLACK, label="Where no camera sees", min_width=300)
    steady = gr.Checkbox(False, label="Remove the shake of cameras that are carried together")
    controls = add_controls("Stitch", "stitch", backend)
    with gr.Column(visible=False, elem_id="stitch-result") as result:
        done = gr.HTML()
        preview = gr.HTML(elem_id="stitch-preview")
        download = gr.DownloadButton("Download the video", size="lg", elem_id="stitch-download")

    def start(
        names: list[str] | None, arrangement: str, border: str, still: bool, request: gr.Request
    ) -> Iterator[Update]:
        yield {result: gr.Column(visible=False)}
        page = request.session_hash or ""
        backend.workspace.received(page, names or [])
        options = {"layout": arrangement, "crop": border == CROP, "fill": border == FILL, "steady": still}
        job = yield from follow(
            backend, page, lambda: prepare(names or [], options, backend.workspace.new_folder(page, "stitch")), controls
        )
        if job is not None:
            made: StitchedFile = job.result
            plan = made.report["plan"]
            info = media.probe(made.path)
            caption = f"The first {SECONDS} s" if (info.frames or 0) > SECONDS * info.rate else ""
            line = closing_line(made.report, made.path).replace(str(made.path), made.path.name)
            yield {
                result: gr.Column(visible=True),
                done: note(f"{plan['layout']}: {plan['why']}", line) + warned(job.warnings),
                preview: player(made.preview, caption),
                download: gr.DownloadButton(value=str(made.path)),
            }

    controls.start.click(
        start,
        [videos, layout, edge, steady],
        [*controls, result, done, preview, download],
        concurrency_limit=None,
        show_progress="hidden",
        api_visibility="private",
    )


def prepare(videos: Sequence[str], options: dict[str, Any], folder: Path) -> Callable[[Job], StitchedFile]:
    """Checks the uploads and returns the work.

    Args:
      videos: the uploads, in order.
      options: of `stitch`.
      folder: where the result is written.

    Raises:
      InputError: fewer than two uploads, or one that is not a video.
    """
    if len(videos) < 2:
        raise InputError(f"{len(videos) or 'no'} video{'s' * (len(videos) != 1)} to stitch: add two or more")
    infos = [check_video(video) for video in videos]
    target = folder / "stitched.mp4"

    def work(job: Job) -> StitchedFile:
        job.total = max((info.frames or 0 for info in infos), default=0) or None
        report = stitch(videos, target, progress=job, **options).report
        job.begin("preparing the preview")
        return StitchedFile(target, write_preview(target, folder / "preview.mp4", job), report)

    return work
