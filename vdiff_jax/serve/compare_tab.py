"""The tab that compares a video with its reference: metrics, PSNR by frame, any frame, a report to download."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import pandas as pd

from vdiff_jax.cli.report_text import METRICS
from vdiff_jax.comparison import compare
from vdiff_jax.serve.before_after import Pair, add_before_after
from vdiff_jax.serve.jobs import Job
from vdiff_jax.serve.previews import write_side_by_side
from vdiff_jax.serve.running import Backend, Update, add_controls, follow
from vdiff_jax.serve.status import table, warned
from vdiff_jax.serve.workspace import check_video


class Compared(NamedTuple):
    """A finished job: both videos, a side-by-side preview, the report, and the HTML report to download."""

    pair: Pair
    preview: Path
    report: dict[str, Any]
    page: Path


def add_compare_tab(backend: Backend) -> None:
    """Adds the tab's components and events to the page."""
    with gr.Row():
        reference = gr.File(label="Reference", elem_id="compare-reference", height=140)
        test = gr.File(label="Video to judge", elem_id="compare-test", height=140)
    controls = add_controls("Compare", "compare", backend)
    with gr.Column(visible=False, elem_id="compare-result") as result:
        done = gr.HTML(elem_id="compare-done")
        curve = gr.LinePlot(x="Frame", y="PSNR (dB)", title="PSNR of each frame", height=220)
        comparison = add_before_after("compare", "Reference", "video to judge")
        download = gr.DownloadButton("Download the report", size="lg", elem_id="compare-download")

    def start(first: str | None, second: str | None, request: gr.Request) -> Iterator[Update]:
        yield {result: gr.Column(visible=False)}
        page = request.session_hash or ""
        backend.workspace.received(page, [first, second])
        job = yield from follow(
            backend, page, lambda: prepare(first, second, backend.workspace.new_folder(page, "compare")), controls
        )
        if job is not None:
            made: Compared = job.result
            values = made.report["per_frame"]["psnr"]
            points = pd.DataFrame({"Frame": range(len(values)), "PSNR (dB)": values})
            yield {
                result: gr.Column(visible=True),
                done: table(facts(made.report)) + warned(job.warnings),
                curve: gr.LinePlot(points, y_lim=[int(min(values)), int(max(values)) + 1]),
                download: gr.DownloadButton(value=str(made.page)),
                **comparison.filled(made.pair, made.preview),
            }

    controls.start.click(
        start,
        [reference, test],
        [*controls, result, done, curve, download, *comparison],
        concurrency_limit=None,
        show_progress="hidden",
        api_visibility="private",
    )


def facts(report: dict[str, Any]) -> dict[str, str]:
    """The rows of a table with the number of frames and the metrics in a report of `compare`."""
    rows = {"Frames": f"{report['frames']} of {report['width']}x{report['height']}"}
    for name, title in METRICS.items():
        unit = " dB" if name.startswith("psnr") else ""
        rows[title[0].upper() + title[1:]] = "not measured" if report[name] is None else f"{report[name]:.3f}{unit}"
    return rows


def prepare(reference: str | None, test: str | None, folder: Path) -> Callable[[Job], Compared]:
    """Checks the uploads and returns the work.

    Args:
      reference: the original video.
      test: the video to measure.
      folder: where the report is written.

    Raises:
      InputError: a video is missing, or not a video.
    """
    check_video(reference)
    frames = check_video(test).frames
    first, second = Path(reference or ""), Path(test or "")

    def work(job: Job) -> Compared:
        job.begin("measuring")
        job.total = frames
        page = folder / "comparison.html"
        report = compare(first, second, html=page, progress=job)
        pair = Pair.of(first, second)
        job.begin("preparing the comparison")
        job.total = pair.preview_frames
        return Compared(pair, write_side_by_side(first, second, folder / "preview.mp4", progress=job), report, page)

    return work
