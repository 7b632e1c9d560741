"""Builds the page: four tabs, a theme, and the clean-up when a browser closes the page."""

import gradio as gr

from vdiff_jax.serve.compare_tab import add_compare_tab
from vdiff_jax.serve.compress_tab import add_compress_tab
from vdiff_jax.serve.repair_tab import add_repair_tab
from vdiff_jax.serve.running import Backend
from vdiff_jax.serve.status import note
from vdiff_jax.serve.stitch_tab import add_stitch_tab

TABS = {
    "Repair": ("Removes noise and compression blocks, fills logos and damage, enlarges, adds frames.", add_repair_tab),
    "Stitch": ("Joins cameras into one panorama, or clips into one film.", add_stitch_tab),
    "Compress": ("Writes a smaller file that plays as it is, and whose quality decompress raises.", add_compress_tab),
    "Compare": ("Measures how close a video is to its reference.", add_compare_tab),
}
"""Each tab's name, what it does, and the function that adds its components."""
CSS = """
.gradio-container { width: 100% !important; max-width: 900px !important; margin: 0 auto !important; }
.note, .problem, .warned { margin: 0 0 .4em; line-height: 1.45; overflow-wrap: anywhere; }
.problem { border-left: 4px solid #d92d20; padding-left: .7em; font-weight: 600; }
.warned { border-left: 4px solid #dc9a00; padding-left: .7em; }
.job .bar { height: .6em; border-radius: .3em; overflow: hidden; background: var(--border-color-primary); }
.job .bar i { display: block; height: 100%; background: #2563eb; transition: width .25s; }
.job .bar i.unknown { width: 30%; animation: vdiff-wait 1.6s ease-in-out infinite alternate; }
@keyframes vdiff-wait { to { transform: translateX(233%); } }
@media (prefers-reduced-motion: reduce) { .job .bar i.unknown { animation: none; } }
@media (max-width: 480px) { .tab-container button { padding-inline: .65em !important; } }
.job p { margin: .2em 0 0; font-variant-numeric: tabular-nums; }
.player { margin: 0; }
.player video { width: 100%; max-height: 70vh; border-radius: .3em; background: #000; }
.player figcaption { color: var(--body-text-color-subdued); font-size: .85em; }
.facts, .facts tr, .facts th, .facts td { border: 0 !important; }
.facts { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.facts th { text-align: left; font-weight: 400; padding: .15em 1.5em .15em 0 !important; }
.facts td { text-align: right; font-weight: 600; padding: .15em 0 !important; }
"""
SYSTEM_FONT = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
_HOUR = 3600


def theme() -> gr.themes.Base:
    """Gradio's default theme with the system's font, so that the browser loads no font from the internet."""
    return gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=SYSTEM_FONT, font_mono=["monospace"])


def build_page(backend: Backend) -> gr.Blocks:
    """The page.

    Args:
      backend: the queue of jobs and the folder of files that all tabs share.
    """
    with gr.Blocks(title="vdiff", analytics_enabled=False, delete_cache=(_HOUR, 24 * _HOUR)) as page:
        for name, (purpose, add_tab) in TABS.items():
            with gr.Tab(name, id=name.lower()):
                gr.HTML(note(purpose))
                add_tab(backend)

        def enter(request: gr.Request) -> None:
            backend.workspace.opened(request.session_hash or "")

        def leave(request: gr.Request) -> None:
            session = request.session_hash or ""
            job = backend.queue.stop(session)
            if job is not None:
                job.wait()
            backend.workspace.forget(session)

        page.load(enter, show_progress="hidden", api_visibility="private")
        page.unload(leave)
    return page
