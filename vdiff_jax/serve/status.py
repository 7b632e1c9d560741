"""Renders a job's progress, messages and results as HTML for the page."""

import html
import time
import urllib.parse
from pathlib import Path

from vdiff_jax.cli.progress import clock, figure
from vdiff_jax.serve.jobs import Job


def status(job: Job) -> str:
    """A job's progress as a bar above a line of text. After its end: its error, or nothing."""
    if job.done:
        return problem(job.error) if job.error else ""
    if job.stopping:
        return _bar(None, None, "Stopping at the next frame")
    if job.ahead:
        return _bar(None, None, f"Waiting: {job.ahead} other job{'s' * (job.ahead > 1)} first")
    if job.first is None:
        return _bar(None, None, job.stage.capitalize())
    at, before = job.first
    rate = (job.frames - before) / max(time.monotonic() - at, 1e-9)
    parts = [f"{job.frames} of {job.total} frames" if job.total else f"{job.frames} frames"]
    if rate > 0:
        parts.append(f"{figure(rate)} frames/s")
        if job.total:
            parts.append(f"{clock((job.total - job.frames) / rate)} left")
    stage = "" if job.stage == Job.FIRST_STAGE else f"{job.stage.capitalize()}: "
    return _bar(job.frames, job.total, stage + ", ".join(parts))


def problem(text: str) -> str:
    """An error as a line of text. The first letter becomes a capital, unless a file's name comes first."""
    if text.split(" ")[0].isalpha():
        text = text[:1].upper() + text[1:]
    return f'<p class="problem" role="alert">{html.escape(text)}</p>'


def note(*lines: str) -> str:
    """Lines of plain text."""
    return "".join(f'<p class="note">{html.escape(line)}</p>' for line in lines if line)


def warned(warnings: list[str]) -> str:
    """The warnings of a job."""
    return "".join(f'<p class="warned">{html.escape(line)}</p>' for line in warnings)


def table(rows: dict[str, str]) -> str:
    """Names and values in two columns."""
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows.items())
    return f'<table class="facts">{"".join(cells)}</table>'


def player(path: Path, caption: str) -> str:
    """A player for a video in the page's folder. `gr.Video` is not used, because it calls ffprobe."""
    address = f"gradio_api/file={urllib.parse.quote(str(path))}"
    video = f'<video src="{html.escape(address)}" preload="auto" controls loop playsinline></video>'
    return f'<figure class="player">{video}<figcaption>{html.escape(caption)}</figcaption></figure>'


def _bar(value: int | None, total: int | None, text: str) -> str:
    """A progress bar above a line of text. The bar moves back and forth if the total is unknown."""
    known = value is not None and total
    filled = f'<i style="width: {min(100, 100 * value / total):.1f}%"></i>' if known else '<i class="unknown"></i>'
    return f'<div class="job" role="status"><div class="bar">{filled}</div><p>{html.escape(text)}</p></div>'
