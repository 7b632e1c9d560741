"""Compares two videos on the page: a slider between both pictures of any frame, and a side-by-side video."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from vdiff_jax import media
from vdiff_jax.serve.pictures import pair_at
from vdiff_jax.serve.previews import SECONDS
from vdiff_jax.serve.running import Update
from vdiff_jax.serve.status import player


class Pair(NamedTuple):
    """Two videos to compare.

    Attributes:
      before, after: the files.
      rate: frames per second of `after`.
      frames: how many `after` has.
      slow: how many times slower `after` plays.
    """

    before: Path
    after: Path
    rate: Fraction
    frames: int
    slow: float | int = 1

    @classmethod
    def of(cls, before: Path, after: Path, slow: float | int = 1) -> "Pair":
        """The pair of two files; rate and number of frames are read from the second."""
        info = media.probe(after)
        return cls(before, after, info.rate, info.frames or 1, slow)

    @property
    def preview_frames(self) -> int:
        """How many frames a preview of `after` has."""
        return min(self.frames, int(SECONDS * self.rate))

    def pictures(self, number: float | int) -> tuple[Any, Any]:
        """Frame `number` of `after`, and the frame of `before` at the same time, as R'G'B' pictures."""
        return pair_at(self.before, self.after, float(int(number) / self.rate), self.slow)


class BeforeAfter(NamedTuple):
    """The components of a comparison."""

    pair: gr.State
    frame: gr.Slider
    slider: gr.ImageSlider
    video: gr.HTML

    def filled(self, pair: Pair, preview: Path) -> Update:
        """The components' values for a pair."""
        middle = pair.frames // 2
        part = "" if pair.preview_frames == pair.frames else f" (the first {SECONDS} s)"
        return {
            self.pair: pair,
            self.frame: gr.Slider(maximum=max(1, pair.frames - 1), value=middle),
            self.slider: gr.ImageSlider(value=pair.pictures(middle)),
            self.video: player(preview, f"{self.slider.label}{part}"),
        }


def add_before_after(name: str, first: str = "Before", second: str = "after") -> BeforeAfter:
    """Adds a comparison to the page.

    Args:
      name: the tab's name in the identifiers of its elements.
      first, second: the labels of the two videos.
    """
    pair = gr.State()
    slider = gr.ImageSlider(
        label=f"{first} | {second}", format="png", interactive=False, buttons=["fullscreen"], elem_id=f"{name}-slider"
    )
    frame = gr.Slider(0, 1, step=1, label="Frame", interactive=True, elem_id=f"{name}-frame")
    video = gr.HTML(elem_id=f"{name}-preview")

    def show(current: Pair | None, number: float | int) -> Any:
        return gr.skip() if current is None else current.pictures(number)

    frame.input(
        show,
        [pair, frame],
        slider,
        trigger_mode="always_last",
        concurrency_limit=2,
        show_progress="hidden",
        api_visibility="private",
    )
    return BeforeAfter(pair, frame, slider, video)
