"""The figures of a video beside its reference, frame by frame in constant memory."""

import contextlib
import heapq
import itertools
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax import media, metrics
from vdiff_jax.comparison.page import Strip, page
from vdiff_jax.errors import ClipError, FormatError, MissingError
from vdiff_jax.media.arrays import check_clip
from vdiff_jax.media.colour import convert, from_rgb, to_rgb
from vdiff_jax.pixels import Frame, PixelFormat

log = logging.getLogger(__name__)

MOST = 100.0
"""The PSNR in dB that a frame equal to its reference counts as."""
_CHUNK = 16
_SHOWN = 3
"""The worst frames, which the page shows."""
_SMALLEST = 11
"""SSIM's window."""

Clip = Float[np.ndarray, "_ h w 3"]
Pair = tuple[Frame, Frame]


class _Side(NamedTuple):
    """A video that is read: its name, its frames, and what their planes mean."""

    name: str
    frames: Iterator[Frame]
    pixels: PixelFormat


def compare(
    reference: np.ndarray | str | Path, test: np.ndarray | str | Path, *, html: str | Path | None = None
) -> dict[str, Any]:
    """Measures how near a video is to its reference.

    Args:
      reference: what it should be: a path, or `t h w c` (c = 3 or 1), uint8 or float in [0, 1].
      test: the video to judge, of the same size.
      html: where a page with the figures, their course and the worst frames is written.

    Returns:
      `frames`, `width`, `height`, `seconds`; means over frames of `psnr` (R'G'B', dB; equal frames count as 100),
      `psnr_y`, `ssim` and `vmaf` (None where it can't be measured); `temporal_error`, by how many 8-bit levels it
      changes otherwise from frame to frame; `per_frame`, the course of the first four.

    Raises:
      FormatError: videos of different size.
      ClipError: an array that is no clip.
      InputError: a video that can't be read, or no frames to compare.
    """
    if html is not None:
        media.check_target(html, [each for each in (reference, test) if isinstance(each, str | Path)])
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        sides = [_opened(each, name, stack) for each, name in ((reference, "reference"), (test, "test"))]
        course, worst, size, changes = _measured(*sides)
    report = {"reference": sides[0].name, "test": sides[1].name, "frames": len(course["psnr"])}
    report |= {"width": size[1], "height": size[0]}
    report |= {name: round(float(np.mean(values)), 4) if len(values) else None for name, values in course.items()}
    report["temporal_error"] = round(float(np.mean(changes)), 4) if changes else None
    report["seconds"] = round(time.monotonic() - begun, 3)
    report["per_frame"] = {name: [round(float(v), 3) for v in values] for name, values in course.items()}
    if html is not None:
        partial = Path(f"{html}.part")
        partial.write_text(page(report, worst))
        partial.replace(html)
    return report


def _opened(video: np.ndarray | str | Path, name: str, stack: contextlib.ExitStack) -> _Side:
    if isinstance(video, str | Path):
        reader = stack.enter_context(media.open_reader(video))
        return _Side(str(video), iter(reader), reader.info.pixels)
    clip = np.asarray(video)
    check_clip(clip)
    if clip.dtype != np.uint8:
        clip = np.rint(np.clip(clip, 0, 1) * 65535).astype(np.uint16)
    bits = 8 * clip.dtype.itemsize
    pixels = PixelFormat(kind="rgb" if clip.shape[-1] == 3 else "gray", bits=bits, full_range=True)
    return _Side(name, (Frame(tuple(np.moveaxis(frame, -1, 0)), n) for n, frame in enumerate(clip)), pixels)


def _measured(reference: _Side, test: _Side):
    """The course of each figure, the worst frames, the size, and the temporal errors."""
    course: dict[str, list[float]] = {"psnr": [], "psnr_y": [], "ssim": [], "vmaf": []}
    worst: list[tuple[float, int, Strip]] = []
    changes: list[float] = []
    vmaf, last = _vmaf(), None
    for chunk in _chunks(_pairs(reference, test)):
        truth, shown = (_rgb([pair[i] for pair in chunk], side.pixels) for i, side in enumerate((reference, test)))
        size, first = truth.shape[1:3], len(course["psnr"])
        figures = {"psnr": metrics.psnr(shown, truth), "psnr_y": metrics.psnr_y(shown, truth)}
        course["psnr"] += np.minimum(figures["psnr"], MOST).tolist()
        course["psnr_y"] += np.minimum(figures["psnr_y"], MOST).tolist()
        course["ssim"] += metrics.ssim(shown, truth).tolist() if min(size) >= _SMALLEST else []
        vmaf = _extended(course["vmaf"], vmaf, chunk, reference.pixels, test.pixels)
        for number, pair in enumerate(zip(truth, shown)):
            entry = (-course["psnr"][first + number], first + number, Strip(first + number, *map(_eight_bits, pair)))
            heapq.heappush(worst, entry)
            if len(worst) > _SHOWN:
                heapq.heappop(worst)
        changes += _changes(last, truth, shown)
        last = truth[-1:], shown[-1:]
    if not course["psnr"]:
        raise ClipError(f"{reference.name} and {test.name} have no frames to compare")
    return course, [strip for *_, strip in sorted(worst, reverse=True)], size, changes


def _pairs(reference: _Side, test: _Side) -> Iterator[Pair]:
    """Frame beside frame, as far as both have them."""
    for number, (truth, shown) in enumerate(itertools.zip_longest(reference.frames, test.frames)):
        if truth is None or shown is None:
            longer = test if truth is None else reference
            log.warning("%s has more frames: the first %d are compared", longer.name, number)
            return
        sizes = [frame.planes[0].shape[::-1] for frame in (truth, shown)]
        if sizes[0] != sizes[1]:
            raise FormatError(
                "{} is {}x{}, {} is {}x{}: bring them to one size first".format(
                    reference.name, *sizes[0], test.name, *sizes[1]
                )
            )
        yield truth, shown


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(itertools.islice(pairs, _CHUNK)):
        yield chunk


def _rgb(frames: list[Frame], pixels: PixelFormat) -> Clip:
    return np.clip(np.stack([to_rgb(frame.planes, pixels)[..., :3] for frame in frames]), 0, 1)


def _eight_bits(frame: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(255 * frame).astype(np.uint8)


def _changes(last: tuple[Clip, Clip] | None, truth: Clip, shown: Clip) -> list[float]:
    """The temporal error of each frame but the video's first."""
    if last is not None:
        truth, shown = (np.concatenate(pair) for pair in zip(last, (truth, shown)))
    pairs = [jnp.asarray(np.stack([clip[:-1], clip[1:]], axis=1)) for clip in (shown, truth)]
    return (255 * metrics.temporal_difference_error(*pairs)).tolist() if len(truth) > 1 else []


def _vmaf() -> media.Vmaf | None:
    try:
        return media.Vmaf()
    except MissingError:
        log.warning("VMAF is left out, for it needs an FFmpeg with libvmaf: pip install 'vdiff_jax[vmaf]'")
        return None


def _extended(
    course: list[float], vmaf: media.Vmaf | None, chunk: list[Pair], reference: PixelFormat, test: PixelFormat
) -> media.Vmaf | None:
    """Adds a chunk's VMAF to its course; `None` from where it can't be measured."""
    if vmaf is None:
        return None
    truth = _as_yuv([pair[0] for pair in chunk], reference)
    shown = [Frame(convert(frame.planes, test, _yuv(reference)), frame.pts) for _, frame in chunk]
    try:
        course += vmaf(shown, truth, _yuv(reference)).tolist()
    except FormatError as error:
        log.warning("VMAF is left out: %s", error)
        course.clear()
        return None
    return vmaf


def _yuv(pixels: PixelFormat) -> PixelFormat:
    """The format of luma and chroma that libvmaf is given."""
    known = pixels.kind == "yuv" and not pixels.alpha and pixels.subsampling in ((1, 1), (2, 1), (2, 2))
    return pixels if known else PixelFormat(kind="yuv", bits=8, matrix="bt709")


def _as_yuv(frames: list[Frame], pixels: PixelFormat) -> list[Frame]:
    wanted = _yuv(pixels)
    if wanted == pixels:
        return frames
    return [Frame(from_rgb(to_rgb(frame.planes, pixels)[..., :3], wanted), frame.pts) for frame in frames]
