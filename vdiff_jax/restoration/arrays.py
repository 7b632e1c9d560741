"""Repairs clips in memory."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Num

from vdiff_jax.errors import ClipError, MaskError, ReferencePictureError
from vdiff_jax.media import check_reference
from vdiff_jax.media.arrays import check_clip
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.options import check_growth
from vdiff_jax.restoration.pipeline import restored_frames, restorer_for
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.video import FIRST_FRAMES, cropped
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request

Reference = np.ndarray | Mapping[int, np.ndarray]


def repair_clip(
    clip: np.ndarray,
    *,
    task: str,
    mask: np.ndarray | None,
    reference: Reference | Sequence,
    size: tuple[int, int] | None,
    **options: Any,
) -> Num[np.ndarray, "n h2 w2 c2"]:
    """The repaired clip; the arguments are those of `vdiff_jax.repair`.

    Raises:
      ClipError: the array is not a clip.
      MaskError: a mask that does not fit.
      VdiffError: another of its subclasses.
    """
    clip = np.asarray(clip)
    check_clip(clip)
    check_growth(options["grow"], masked=mask is not None)
    pixels = PixelFormat(kind="rgb" if clip.shape[-1] == 3 else "gray", full_range=True)
    frames = [Frame(tuple(np.moveaxis(frame, -1, 0)), n) for n, frame in enumerate(clip)]
    masks, holes = (itertools.repeat(None), None) if mask is None else _masks(_as_array(mask), clip.shape)
    request = Request(
        frames=frames[:FIRST_FRAMES],
        pixels=pixels,
        masked=mask is not None,
        size=size and size[::-1],
        references=_references(reference, clip.shape) or None,
        **options,
    )
    plan = cropped(make_plan(task, request), holes, pixels)
    restored = repair_frames(Footage(frames, masks, pixels), plan)
    return np.stack([np.stack(frame.planes, axis=-1) for frame in restored])


def repair_frames(footage: Footage, plan: Plan) -> Iterator[Frame]:
    """The repaired frames of footage in memory."""
    return restored_frames(footage, plan, restorer_for(plan))


def _as_array(mask: object) -> np.ndarray:
    if isinstance(mask, str):
        raise ClipError("a clip in memory takes a mask as an array, not the name of a file")
    return np.asarray(mask)


def _references(reference: Reference | Sequence, shape: tuple[int, ...]) -> dict[int, np.ndarray]:
    pictures = reference if isinstance(reference, Mapping) else {0: reference} if len(reference) else {}
    late = [number for number in pictures if not 0 <= number < shape[0]]
    if late:
        raise ReferencePictureError(
            f"there is a reference for frame {late[0]}, but the clip has the frames 0 to {shape[0] - 1}"
        )
    return {n: check_reference(np.asarray(p), shape[1:3], f"for frame {n}") for n, p in pictures.items()}


def _masks(mask: np.ndarray, shape: tuple[int, ...]) -> tuple[Iterator[Bool[np.ndarray, "h w"]], np.ndarray]:
    """The masks of the frames, and their union."""
    if mask.shape not in (shape[1:3], shape[:3]):
        raise MaskError(f"the mask's shape {mask.shape} fits neither one frame {shape[1:3]} nor the clip {shape[:3]}")
    if mask.all():
        raise MaskError("the mask is True everywhere: nothing is left to repair the clip from")
    mask = mask.astype(bool)
    return (itertools.repeat(mask), mask) if mask.ndim == 2 else (iter(mask), mask.any(axis=0))
