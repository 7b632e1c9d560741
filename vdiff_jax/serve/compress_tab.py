"""The tab that compresses a video: sizes, the expected VMAF, and a curve of VMAF by size."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import pandas as pd

from vdiff_jax.cli.report_text import compression_text, size_text
from vdiff_jax.compression import compress
from vdiff_jax.compression.curve import quality_curve
from vdiff_jax.serve.jobs import Job
from vdiff_jax.serve.running import Backend, Update, add_controls, follow
from vdiff_jax.serve.status import note, table, warned
from vdiff_jax.serve.workspace import check_video

CODECS = {"H.264 (plays everywhere)": "h264", "HEVC": "hevc", "AV1 (smallest)": "av1"}
EFFORTS = {"Quick": "none", "Good": "fast", "Best": "best"}
BY_CRF, BY_VMAF, BY_RATE = "Default quality", "VMAF score", "Bit rate"


class Compressed(NamedTuple):
    """A finished job: the file, and the report of `compress`."""

    path: Path
    report: dict[str, Any]


def add_compress_tab(backend: Backend) -> None:
    """Adds the tab's components and events to the page."""
    video = gr.File(label="Video", elem_id="compress-video", height=140)
    codec, effort, aim, vmaf, rate = _add_choices()
    controls = add_controls("Compress", "compress", backend)
    with gr.Column(visible=False, elem_id="compress-result") as result:
        done = gr.HTML(elem_id="compress-done")
        download = gr.DownloadButton("Download the file", size="lg", elem_id="compress-download")
    draw = gr.Button("Draw the curve of size and quality", size="sm", elem_id="compress-curve")
    curve = gr.LinePlot(
        x="Size (MB)", y="VMAF", visible=False, elem_id="compress-plot", title="Expected VMAF by size", height=260
    )

    def start(name: str | None, to: str, search: str, goal: str, least: float, bits: float, request: gr.Request):
        yield {result: gr.Column(visible=False)}
        page = request.session_hash or ""
        backend.workspace.received(page, [name])
        options: dict[str, Any] = {"codec": to, "adapt": search}
        options["target_vmaf"] = least if goal == BY_VMAF else None
        options["bitrate"] = 1000 * bits if goal == BY_RATE else None
        job = yield from follow(
            backend, page, lambda: prepare(name, options, backend.workspace.new_folder(page, "compress")), controls
        )
        if job is not None:
            made: Compressed = job.result
            line = compression_text(made.report, made.path.name)
            yield {
                result: gr.Column(visible=True),
                done: table(facts(made.report)) + note(line) + warned(job.warnings),
                download: gr.DownloadButton(value=str(made.path)),
            }

    def plot(name: str | None, to: str, request: gr.Request) -> Iterator[Update]:
        backend.workspace.received(request.session_hash or "", [name])
        job = yield from follow(backend, request.session_hash, lambda: prepare_curve(name, to), controls)
        if job is not None:
            points = curve_points(job.result)
            low = float(points["VMAF"].min())
            yield {curve: gr.LinePlot(points, x=points.columns[0], visible=True, y_lim=[max(0, int(low / 5) * 5), 100])}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    controls.start.click(
        start,
        [video, codec, effort, aim, vmaf, rate],
        [*controls, result, done, download],
        concurrency_limit=None,
        **quiet,
    )
    draw.click(plot, [video, codec], [*controls, curve], concurrency_limit=None, **quiet)


def _add_choices() -> tuple[gr.Radio, gr.Radio, gr.Radio, gr.Number, gr.Number]:
    """Adds the choices of codec, effort and aim. The fields for a VMAF and a bit rate show only if that is the aim."""
    codec = gr.Radio(list(CODECS.items()), value="h264", label="Codec")
    with gr.Row():
        effort = gr.Radio(list(EFFORTS.items()), value="fast", label="Effort", min_width=270, scale=2)
        aim = gr.Radio([BY_CRF, BY_VMAF, BY_RATE], value=BY_CRF, label="Aim for", min_width=420, scale=3)
        vmaf = gr.Number(93, label="VMAF, 0 to 100", min_width=110, minimum=0, maximum=100, visible=False)
        rate = gr.Number(1000, label="kbit/s", min_width=110, minimum=1, visible=False)
    aim.change(
        lambda goal: [gr.Number(visible=goal == BY_VMAF), gr.Number(visible=goal == BY_RATE)],
        aim,
        [vmaf, rate],
        show_progress="hidden",
        api_visibility="private",
    )
    return codec, effort, aim, vmaf, rate


def curve_points(sizes: list[tuple[int, float]]) -> pd.DataFrame:
    """Sizes in bytes and their VMAF as a table; its first column is in kB or MB, whichever is easier to read."""
    unit, scale = ("MB", 1e6) if max(size for size, _ in sizes) >= 1e6 else ("kB", 1e3)
    return pd.DataFrame({f"Size ({unit})": [size / scale for size, _ in sizes], "VMAF": [value for _, value in sizes]})


def facts(report: dict[str, Any]) -> dict[str, str]:
    """The rows of a table with the sizes and the expected VMAF in a report of `compress`."""
    size, vmaf = report["bytes"], report["vmaf"]
    rows = {} if size["source"] is None else {"Before": size_text(size["source"])}
    rows["After"] = size_text(size["file"])
    if size["source"]:
        rows["Saved"] = f"{100 * (1 - size['file'] / size['source']):.0f} %"
    expected, played = ("not measured",) * 2 if vmaf is None else (f"{vmaf[of]:.1f}" for of in ("expected", "track"))
    return rows | {"Expected VMAF after decompress": expected, "Expected VMAF in a player": played}


def prepare(video: str | None, options: dict[str, Any], folder: Path) -> Callable[[Job], Compressed]:
    """Checks the upload and returns the work.

    Args:
      video: the upload.
      options: of `compress`.
      folder: where the file is written.

    Raises:
      InputError: there is no video.
    """
    frames = check_video(video).frames
    source = Path(video or "")
    target = folder / f"{source.stem}-small.mp4"

    def work(job: Job) -> Compressed:
        job.total = frames
        return Compressed(target, compress(source, target, progress=job, begin=job.begin, **options))

    return work


def prepare_curve(video: str | None, codec: str) -> Callable[[Job], list[tuple[int, float]]]:
    """Checks the upload and returns the work: five pairs of bytes and expected VMAF, from small files to large ones.

    Raises:
      InputError: there is no video.
    """
    check_video(video)

    def work(job: Job) -> list[tuple[int, float]]:
        job.begin("probing")
        return quality_curve(video or "", codec=codec, progress=job)

    return work
