"""An HTML page, in one file, that shows a comparison: the metrics, the PSNR over time, and the worst frames."""

import base64
import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

_AMPLIFICATION = 8
"""The factor by which the page shows differences amplified."""
_WIDTH, _HEIGHT = 900, 160
"""The size of the plot in pixels."""
_NAMES = {
    "psnr": "PSNR, R'G'B' (dB)",
    "psnr_y": "PSNR, luma (dB)",
    "ssim": "SSIM",
    "vmaf": "VMAF",
    "temporal_error": "temporal error (8-bit units)",
}
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:960px;padding:0 1em}
table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}
img{width:32%;image-rendering:pixelated}svg{background:#f4f4f4;width:100%}figure{margin:1em 0}"""


class Strip(NamedTuple):
    """A frame's number and its two pictures."""

    number: int
    reference: UInt8[np.ndarray, "h w 3"]
    test: UInt8[np.ndarray, "h w 3"]


def page(report: dict[str, Any], worst: Sequence[Strip]) -> str:
    """The page as HTML, with its pictures embedded.

    Args:
      report: the report of `compare`.
      worst: the frames to show, the worst first.
    """
    rows = "".join(
        f"<tr><th>{title}</th><td>{'not measured' if report[name] is None else f'{report[name]:.3f}'}</td></tr>"
        for name, title in _NAMES.items()
    )
    strips = "".join(_figure(strip, report["per_frame"]["psnr"][strip.number]) for strip in worst)
    title = f"{html.escape(report['test'])} compared with {html.escape(report['reference'])}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{report['frames']} frames of {report['width']}x{report['height']}</p>"
        f"<table>{rows}</table><h2>PSNR over time</h2>{_plot(report['per_frame']['psnr'])}"
        f"<h2>The worst frames: reference, test, difference times {_AMPLIFICATION}</h2>{strips}</html>\n"
    )


def _figure(strip: Strip, psnr: float) -> str:
    difference = 128 + _AMPLIFICATION * (strip.test.astype(np.int16) - strip.reference)
    pictures = (strip.reference, strip.test, np.clip(difference, 0, 255).astype(np.uint8))
    images = " ".join(f'<img alt="" src="data:image/png;base64,{_png(picture)}">' for picture in pictures)
    return f"<figure>{images}<figcaption>frame {strip.number}: {psnr:.2f} dB</figcaption></figure>"


def _png(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    encoded, content = cv2.imencode(".png", picture[..., ::-1])
    assert encoded
    return base64.b64encode(content.tobytes()).decode()


def _plot(values: Sequence[float]) -> str:
    """A curve over the frames as SVG, scaled to its smallest and largest value."""
    low, high = min(values), max(values)
    across = np.linspace(10, _WIDTH - 10, max(len(values), 2))[: len(values)]
    down = [_HEIGHT - 20 - (value - low) / max(high - low, 1e-9) * (_HEIGHT - 40) for value in values]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}"><polyline points="{points}" fill="none" stroke="#06c"/>'
        f'<text x="10" y="15">{high:.2f} dB</text><text x="10" y="{_HEIGHT - 4}">{low:.2f} dB</text></svg>'
    )
