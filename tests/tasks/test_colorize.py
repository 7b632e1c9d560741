"""Colorize: when it refuses, and what becomes of luma and chroma."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.tasks.colorize import Colouring, coloured_planes, plan
from vdiff_jax.tasks.request import Request

GREY, YUV = PixelFormat(kind="gray", full_range=True), PixelFormat(kind="yuv", subsampling=(2, 2))


def planes_of(chroma: int) -> tuple[np.ndarray, ...]:
    luma = np.arange(64, dtype=np.uint8).reshape(8, 8) + np.uint8(90)
    return luma, *np.full((2, 4, 4), chroma, np.uint8)


def request(chroma: int, **options) -> Request:
    return Request(frames=[Frame(planes_of(chroma), 0)], pixels=YUV, **options)


def test_a_reference_is_needed():
    with pytest.raises(OptionError, match="--reference"):
        plan(request(128))


def test_a_coloured_video_is_coloured_again_only_by_force():
    references = {0: np.zeros((8, 8, 4), np.float32)}
    with pytest.raises(OptionError, match="--force"):
        plan(request(30, references=references))
    assert plan(request(30, references=references, force=True)).tasks == ("colorize",)
    assert plan(request(128, references=references)).tasks == ("colorize",)


def test_luma_is_kept_and_chroma_replaced():
    source = tuple(jnp.asarray(plane)[None] for plane in planes_of(128))
    chroma = jnp.broadcast_to(jnp.array([0.25, 0.75]), (1, 8, 8, 2))
    made = jax.jit(coloured_planes, static_argnums=0)(Colouring(YUV, (8, 8)), source, chroma)
    np.testing.assert_array_equal(made[0], source[0])
    assert [plane.shape for plane in made[1:]] == [(1, 4, 4), (1, 4, 4)]
    # In limited range, chroma 0.5 ± 0.25 is 128 ± 56.
    assert [np.unique(plane).tolist() for plane in made[1:]] == [[72], [184]]


def test_a_grey_format_becomes_rgb():
    written, size = Colouring(GREY, (8, 8)).written()
    assert (written.kind, size) == ("rgb", (8, 8))
