"""The choices on the repair tab. Each one is visible only for the tasks that use it."""

from typing import Any, NamedTuple

import gradio as gr

from vdiff_jax import media
from vdiff_jax.errors import VdiffError
from vdiff_jax.serve.choices import DAMAGE, LOADED, NO_MASK, PAINTED, SAME_SIZE
from vdiff_jax.serve.pictures import fitted, frame_at
from vdiff_jax.serve.workspace import check_video
from vdiff_jax.tasks.request import Number

TASKS = {
    "Automatic": "auto",
    "Remove noise": "denoise",
    "Remove compression blocks": "deblock",
    "Fill what I mark": "inpaint",
    "Enlarge": "superres",
    "More frames, or slow motion": "interpolate",
    "Colour": "colorize",
}
QUALITIES = {"Fast": "fast", "Good": "base", "Best": "best"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class RepairInputs(NamedTuple):
    """The components, in the order of the fields of `Choices`."""

    task: gr.Dropdown
    quality: gr.Radio
    sigma: gr.Textbox
    scale: gr.Number
    fps: gr.Number
    slow: gr.Number
    fill: gr.Radio
    mask: gr.File
    grow: gr.Number
    reference: gr.File
    number: gr.Number
    editor: gr.ImageEditor


def add_inputs(video: gr.File) -> RepairInputs:
    """Adds the choices to the page.

    Args:
      video: the upload; its frames are those on which a mask is painted.
    """
    with gr.Row():
        task = gr.Dropdown(
            list(TASKS.items()), value="auto", label="Task", scale=2, min_width=200, elem_id="repair-task"
        )
        quality = gr.Radio(
            list(QUALITIES.items()), value="base", label="Quality", scale=2, min_width=270, elem_id="repair-quality"
        )
        sigma = gr.Textbox(label="Noise, 0 to 255", placeholder="measured", min_width=110, elem_id="repair-sigma")
        scale = gr.Number(2, label="Times larger", minimum=1, maximum=8, visible=False)
        fps = gr.Number(60, label="Frames per second", minimum=1, visible=False)
        slow = gr.Number(1, label="Times slower", minimum=1, visible=False)
    with gr.Row(visible=False) as colour:
        reference = gr.File(label="A frame that you coloured", height=120)
        number = gr.Number(0, label="Its frame number", minimum=0, precision=0)
    fill = gr.Radio(
        [NO_MASK, PAINTED, LOADED, DAMAGE],
        value=NO_MASK,
        label="Fill in (a logo, dust, scratches)",
        elem_id="repair-fill",
    )
    with gr.Column(visible=False) as paint:
        frame = gr.Slider(0, 1, step=1, label="Paint on frame", elem_id="paint-frame")
        editor = _add_editor()
    mask = gr.File(label="Mask: a picture or video, white where it is to be filled", height=120, visible=False)
    grow = gr.Number(0, label="Also fill around the mask, in pixels", minimum=0, precision=0, visible=False)
    inputs = RepairInputs(task, quality, sigma, scale, fps, slow, fill, mask, grow, reference, number, editor)
    choosing = [sigma, scale, fps, slow, colour, fill, paint, mask, grow]
    gr.on([task.change, fill.change], _visible, [task, fill], choosing, queue=False, **_QUIET)
    frame.release(_painting, [video, frame, editor], editor, trigger_mode="always_last", **_QUIET)
    gr.on([video.change, fill.change], _first_frame, [video, fill, frame], [frame, editor], **_QUIET)
    return inputs


def _add_editor() -> gr.ImageEditor:
    return gr.ImageEditor(
        label="Paint over what is to be filled",
        type="numpy",
        format="png",
        sources=(),
        transforms=(),
        layers=False,
        buttons=[],
        brush=gr.Brush(default_size=20, colors=["#ff2d78"], color_mode="fixed"),
        elem_id="repair-editor",
    )


def _visible(task: str, fill: str) -> list[Any]:
    """The choices' visibility."""
    masked, moved = task in SAME_SIZE, task == "interpolate"
    filled = fill if masked else NO_MASK
    shown = [masked, task == "superres", moved, moved, task == "colorize", masked]
    shown += [filled == PAINTED, filled == LOADED, filled != NO_MASK]
    return [gr.update(visible=visible) for visible in shown]


def _first_frame(video: str | None, fill: str, number: Number | int) -> list[Any]:
    """The slider over frames and the frame to paint on, for a new video."""
    if fill != PAINTED or not video:
        return [gr.skip(), gr.skip()]
    try:
        last = max(1, (check_video(video).frames or 1) - 1)
    except VdiffError:
        return [gr.skip(), None]
    number = min(number, last)
    return [gr.Slider(maximum=last, value=number), _painting(video, number, None)]


def _painting(video: str | None, number: Number, editor: dict[str, Any] | None) -> Any:
    """Shows another frame under the painting. The painting is kept if the size is the same."""
    if not video:
        return None
    info = media.probe(video)
    background = fitted(frame_at(video, int(number) / info.rate))
    layers = [layer for layer in (editor or {}).get("layers", []) if layer.shape[:2] == background.shape[:2]]
    return {"background": background, "layers": layers, "composite": None}
