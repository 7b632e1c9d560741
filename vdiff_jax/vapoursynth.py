"""Repair as a VapourSynth function, for scripts that run in vspipe, mpv or an editor.

import vapoursynth as vs
from vdiff_jax.vapoursynth import repair
clip = vs.core.bs.VideoSource("noisy.mkv")
repair(clip, sigma=12).set_output()
"""

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from vdiff_jax.errors import ClipError, MaskError, MissingError, OptionError
from vdiff_jax.pixels import Frame, Matrix, PixelFormat
from vdiff_jax.restoration.any_order import AnyOrder
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.video import FIRST_FRAMES
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Number, Request

_MATRICES: dict[int, Matrix] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
"""The values of VapourSynth's frame property `_Matrix`."""
_FULL_RANGE = 0
"""The value of VapourSynth's frame property `_ColorRange` for full range."""


def repair(
    clip: Any,
    *,
    task: str = "auto",
    sigma: float | None = None,
    mask: Any | None = None,
    scale: Number | None = None,
    weights: str = "base",
    strength: float = 1,
    both_directions: bool = False,
    kept: int = 64,
) -> Any:
    """Repairs a clip. The pictures are those of `vdiff repair`, whatever the order in which frames are requested.

    Requests in order are fast. A request for a frame older than the last `kept` ones starts again at the first frame.

    Args:
      clip: a VapourSynth clip (`VideoNode`) of constant format: YUV, RGB or GRAY with 8 to 16 bits.
      task: "auto", "denoise", "deblock", "inpaint" or "superres". VapourSynth does not pass on the codec's quantisers,
        so deblock estimates the coding error from the frames.
      sigma: the noise in 8-bit units; measured on the first frames if left out.
      mask: for inpaint: a clip of the same size and length. Pixels brighter than half of white are filled.
      scale: how many times larger superres makes the clip.
      weights: "base", "fast" or a file.
      strength: the share of the result in its mix with the input, from 0 to 1.
      both_directions: the network runs forward and backward in time: better, in about twice the time.
      kept: how many of the last restored frames stay in memory.

    Returns:
      A clip of the same format and number of frames.

    Raises:
      MissingError: VapourSynth is not installed.
      ClipError: a clip of variable or float format.
      VdiffError: another of its subclasses, as for `vdiff_jax.repair`.
    """
    vs = _vapoursynth()
    if vs.core.num_threads < 2:  # one thread waits for the result, another computes the source's frames
        vs.core.num_threads = 2
    pixels = pixel_format(clip, vs)
    fields = {"sigma": sigma, "scale": scale, "weights": weights, "strength": strength}
    plan = _plan(clip, pixels, task, mask, {**fields, "both_directions": both_directions})
    if not plan.tasks:
        return clip

    def begin() -> Iterator[Frame]:
        holes = itertools.repeat(None) if mask is None else (_holes(frame, mask) for frame in mask.frames())
        return repair_frames(Footage(_frames(clip), holes, pixels), plan)

    results = AnyOrder(begin, kept)

    def restored(n: int, f: Any) -> Any:
        made = f[0].copy()
        for number, samples in enumerate(results.frame(n).planes):
            np.copyto(np.asarray(made[number]), samples)
        made.props.update(f[1].props)
        return made

    blank = clip.std.BlankClip(width=plan.conversion.written()[1][1], height=plan.conversion.written()[1][0], keep=True)
    return blank.std.ModifyFrame([blank, clip], restored)


def _plan(clip: Any, pixels: PixelFormat, task: str, mask: Any | None, fields: dict[str, Any]) -> Plan:
    """The plan for a clip, made from its first frames."""
    if task in ("interpolate", "colorize"):
        raise OptionError(f"{task} is not possible in VapourSynth: run vdiff repair --task {task} on the file")
    if mask is not None and (mask.width, mask.height, mask.num_frames) != (clip.width, clip.height, clip.num_frames):
        raise MaskError(
            f"the mask has {mask.num_frames} frames of {mask.width}x{mask.height}, the clip {clip.num_frames} of "
            f"{clip.width}x{clip.height}: pass a mask of the clip's size and length"
        )
    first = list(itertools.islice(_frames(clip), FIRST_FRAMES))
    request = Request(frames=first, pixels=pixels, masked=mask is not None, **fields)
    return make_plan("inpaint" if mask is not None and task == "auto" else task, request)


def pixel_format(clip: Any, vs: Any) -> PixelFormat:
    """The pixel format of a VapourSynth clip, from its format and the properties of its first frame.

    Raises:
      ClipError: its format or size varies, or its samples are not integers of 8 to 16 bits.
    """
    if clip.format is None or clip.width == 0:
        raise ClipError("the clip's format or size varies: convert it with resize first")
    form = clip.format
    if form.sample_type != vs.INTEGER or not 8 <= form.bits_per_sample <= 16:
        raise ClipError(f"the clip's format is {form.name}: convert it to 8 to 16 bits a sample with resize first")
    kinds = {vs.YUV: "yuv", vs.RGB: "rgb", vs.GRAY: "gray"}
    if form.color_family not in kinds:
        raise ClipError(f"the clip's format is {form.name}: convert it to YUV, RGB or GRAY with resize first")
    props = clip.get_frame(0).props
    full = form.color_family == vs.RGB or props.get("_ColorRange", 1) == _FULL_RANGE
    matrix = _MATRICES.get(props.get("_Matrix", 2), "bt601" if clip.height < 720 else "bt709")
    return PixelFormat(
        kind=kinds[form.color_family],  # pyright: ignore[reportArgumentType]
        bits=form.bits_per_sample,
        subsampling=(1 << form.subsampling_w, 1 << form.subsampling_h),
        full_range=full,
        matrix=matrix,
    )


def _vapoursynth() -> Any:
    try:
        return importlib.import_module("vapoursynth")
    except ImportError as error:
        raise MissingError("VapourSynth is not installed: pip install vapoursynth (Python 3.12 or newer)") from error


def _frames(clip: Any) -> Iterator[Frame]:
    """The clip's frames, requested one by one."""
    for number in range(clip.num_frames):
        with clip.get_frame(number) as frame:
            yield Frame(tuple(np.asarray(plane).copy() for plane in frame), number)


def _holes(frame: Any, mask: Any) -> np.ndarray:
    """Where a frame of the mask is brighter than half of white: `h w`."""
    return np.asarray(frame[0]) >= 1 << (mask.format.bits_per_sample - 1)
