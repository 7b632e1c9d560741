"""Compares a video with its reference, frame by frame in constant memory."""

import contextlib
import heapq
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax import media, metrics
from vdiff_jax.comparison.page import Strip, page
from vdiff_jax.comparison.shift import ShiftDetector
from vdiff_jax.comparison.sides import Pair, Side, Video, chunks, match_sizes, open_side, pairs
from vdiff_jax.errors import ClipError, FormatError, MissingError
from vdiff_jax.media.colour import convert, from_rgb, to_rgb
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.warning_log import reports_warnings

log = logging.getLogger(__name__)

LARGEST_PSNR = 100.0
"""The PSNR in dB that counts for a frame equal to its reference."""
_CHUNK = 16
_WORST_FRAMES = 3
"""How many of the worst frames the page shows."""
_SSIM_WINDOW = 11

Clip = Float[np.ndarray, "_ h w 3"]


@reports_warnings
def compare(
    reference: Video,
    test: Video,
    *,
    html: str | Path | None = None,
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, Any]:
    """Measures how near a video is to its reference. Pictures are compared as they are shown.

    Args:
      reference: what the video should be: a path, or `t h w c` (c = 3 or 1), uint8 or float in [0, 1].
      test: the video to judge, of the same size.
      html: a file for a page with the metrics, the PSNR over time and the worst frames.
      progress: is called with the number of frames that are measured.

    Returns:
      `frames`, `width`, `height`, `seconds`; the mean over frames of `psnr` (R'G'B', dB; equal frames count as 100),
      `psnr_y`, `ssim` and `vmaf` (None where it can't be measured); `temporal_error`, the mean difference between the
      two videos' changes from frame to frame, in 8-bit units; `shift`, how many frames the test is late (1, 0 or -1);
      `per_frame`, the first four metrics of every frame.

    Raises:
      FormatError: the videos are shown in different sizes.
      ClipError: an array is not a clip, or there are no frames to compare.
      InputError: a video can't be read.
    """
    if html is not None:
        videos = [video for video in (reference, test) if isinstance(video, str | Path)]
        media.check_file(html, videos, such_as="report.html")
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        sides = [open_side(video, name, stack) for video, name in ((reference, "reference"), (test, "test"))]
        measured = _measure(*match_sizes(*sides), progress)
    height, width = measured.size
    report = {"reference": sides[0].name, "test": sides[1].name, "frames": len(measured.series["psnr"])}
    report |= {"width": width, "height": height}
    report |= {name: _mean(values) for name, values in measured.series.items()}
    report["temporal_error"] = _mean(measured.temporal_errors)
    report["shift"] = measured.shifts.shift()
    report["seconds"] = round(time.monotonic() - begun, 3)
    report["per_frame"] = {name: [round(float(v), 3) for v in values] for name, values in measured.series.items()}
    if html is not None:
        media.write_text(html, page(report, measured.worst()))
    return report


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _measure(reference: Side, test: Side, progress: Callable[[int], Any]) -> "_Measurements":
    measured = _Measurements()
    vmaf = _VmafSeries(reference.pixels, test.pixels)
    for chunk in chunks(pairs(reference, test), _CHUNK):
        measured.add(*(_rgb([pair[i] for pair in chunk], side.pixels) for i, side in enumerate((reference, test))))
        vmaf.add(chunk)
        progress(len(measured.series["psnr"]))
    if not measured.series["psnr"]:
        raise ClipError(f"{reference.name} and {test.name} have no frames to compare")
    measured.series["vmaf"] = vmaf.scores
    if shift := measured.shifts.shift():
        log.warning(
            "%s is one frame %s: its frames match those of %s one place %s",
            *(test.name, "late" if shift > 0 else "early", reference.name, "earlier" if shift > 0 else "later"),
        )
    return measured


class _Measurements:
    """The metrics of the frames so far, which are added chunk by chunk.

    Attributes:
      series: each metric's name and its value for every frame.
      temporal_errors: the temporal error of every frame but the first, in 8-bit units.
      size: height and width of the frames.
      shifts: finds whether one video is shifted by a frame.
    """

    def __init__(self) -> None:
        self.series: dict[str, list[float]] = {"psnr": [], "psnr_y": [], "ssim": [], "vmaf": []}
        self.temporal_errors: list[float] = []
        self.size = (0, 0)
        self.shifts = ShiftDetector()
        self._worst: list[tuple[float, int, Strip]] = []  # a heap: of the worst frames the best comes first
        self._last: tuple[Clip, Clip] | None = None

    def add(self, reference: Clip, test: Clip) -> None:
        """Measures a chunk, R'G'B' in [0, 1]."""
        first = len(self.series["psnr"])
        self.size = reference.shape[1:3]
        self.shifts.add(reference, test)
        self.series["psnr"] += np.minimum(metrics.psnr(test, reference), LARGEST_PSNR).tolist()
        self.series["psnr_y"] += np.minimum(metrics.psnr_y(test, reference), LARGEST_PSNR).tolist()
        if min(self.size) >= _SSIM_WINDOW:
            self.series["ssim"] += metrics.ssim(test, reference).tolist()
        for number, pair in enumerate(zip(reference, test), first):
            entry = (-self.series["psnr"][number], number, Strip(number, *map(_eight_bits, pair)))
            heapq.heappush(self._worst, entry)
            if len(self._worst) > _WORST_FRAMES:
                heapq.heappop(self._worst)
        self.temporal_errors += _temporal_errors(self._last, reference, test)
        self._last = reference[-1:], test[-1:]

    def worst(self) -> list[Strip]:
        """The frames with the lowest PSNR, the worst first."""
        return [strip for *_, strip in sorted(self._worst, reverse=True)]


class _VmafSeries:
    """The VMAF of the frames so far; no scores and a warning where it can't be measured."""

    def __init__(self, reference: PixelFormat, test: PixelFormat) -> None:
        self.scores: list[float] = []
        self._reference, self._test = reference, test
        self._vmaf: media.Vmaf | None = None
        try:
            self._vmaf = media.Vmaf()
        except MissingError:
            log.warning("VMAF is not measured, because it needs an FFmpeg with libvmaf: pip install 'vdiff_jax[vmaf]'")

    def add(self, chunk: list[Pair]) -> None:
        """Measures a chunk."""
        if self._vmaf is None:
            return
        yuv = _yuv(self._reference)
        reference = _as_yuv([pair[0] for pair in chunk], self._reference)
        test = [Frame(convert(frame.planes, self._test, yuv), frame.pts) for _, frame in chunk]
        try:
            self.scores += self._vmaf(test, reference, yuv).tolist()
        except FormatError as error:
            log.warning("VMAF is not measured: %s", error)
            self.scores, self._vmaf = [], None


def _rgb(frames: list[Frame], pixels: PixelFormat) -> Clip:
    return np.clip(np.stack([to_rgb(frame.planes, pixels)[..., :3] for frame in frames]), 0, 1)


def _eight_bits(frame: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(255 * frame).astype(np.uint8)


def _temporal_errors(last: tuple[Clip, Clip] | None, reference: Clip, test: Clip) -> list[float]:
    """The temporal error of each frame in a chunk, given the frame before it; the video's first frame has none."""
    if last is not None:
        reference, test = (np.concatenate(pair) for pair in zip(last, (reference, test)))
    pairs = [jnp.asarray(np.stack([clip[:-1], clip[1:]], axis=1)) for clip in (test, reference)]
    return (255 * metrics.temporal_difference_error(*pairs)).tolist() if len(reference) > 1 else []


def _yuv(pixels: PixelFormat) -> PixelFormat:
    """The Y'CbCr format in which libvmaf compares frames with those of a reference in the format `pixels`."""
    supported = pixels.kind == "yuv" and not pixels.alpha and pixels.subsampling in ((1, 1), (2, 1), (2, 2))
    return pixels if supported else PixelFormat(kind="yuv", bits=8, matrix="bt709")


def _as_yuv(frames: list[Frame], pixels: PixelFormat) -> list[Frame]:
    yuv = _yuv(pixels)
    if yuv == pixels:
        return frames
    return [Frame(from_rgb(to_rgb(frame.planes, pixels)[..., :3], yuv), frame.pts) for frame in frames]
