"""Every public function of preprocess/, and every pure one of postprocess/, keeps the promises of pure functions.

Compiled equals eager, leading batch axes are allowed, inputs are unchanged. Functions are found by inspection: a new
function without an entry in `CASES` or `CONSTANTS` fails.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax import preprocess
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess import merge
from vdiff_jax.postprocess import planes as to_planes
from vdiff_jax.preprocess import colour, grids, planes, push_pull, resample, small_holes, windows

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))
RNG = np.random.default_rng(0)
SIZE = (8, 12)
IMAGE = RNG.random((*SIZE, 3), np.float32)
MASK = (RNG.random(SIZE) < 0.3).astype(np.float32)
PLANES = tuple(RNG.integers(16, 235, size, np.uint8) for size in (SIZE, (4, 6), (4, 6)))


class Case(NamedTuple):
    """A function of arrays without batch axes, and those arrays."""

    function: Callable
    arrays: tuple[np.ndarray, ...]


CASES = {
    "preprocess.colour.rgb_to_ycbcr": Case(lambda x: colour.rgb_to_ycbcr(x, "bt709"), (IMAGE,)),
    "preprocess.colour.ycbcr_to_rgb": Case(lambda x: colour.ycbcr_to_rgb(x, "bt709"), (IMAGE,)),
    "preprocess.grids.unshuffle": Case(grids.unshuffle, (IMAGE,)),
    "preprocess.grids.shuffle": Case(grids.shuffle, (RNG.random((4, 6, 12), np.float32),)),
    "preprocess.grids.average": Case(grids.average, (IMAGE,)),
    "preprocess.grids.repeat": Case(grids.repeat, (IMAGE,)),
    "preprocess.planes.clip_of_planes": Case(lambda *p: planes.clip_of_planes(p, YUV, 8), PLANES),
    "preprocess.planes.normalised_samples": Case(lambda p: planes.normalised_samples(p, YUV, chroma=True), PLANES[1:2]),
    "preprocess.planes.pad": Case(lambda x: planes.pad(x, 8), (IMAGE,)),
    "preprocess.planes.known_of_mask": Case(lambda m: planes.known_of_mask(m, YUV, 8), (MASK,)),
    "preprocess.planes.sigma_of_error": Case(
        lambda e: planes.sigma_of_error(e, YUV, 8), (np.where(MASK > 0, np.inf, IMAGE[..., 0]).astype(np.float32),)
    ),
    "preprocess.push_pull.fill": Case(push_pull.fill, (IMAGE[:2, :3], np.repeat(1 - MASK[:2, 3:6, None], 3, -1))),
    "preprocess.resample.reduce": Case(lambda x: resample.reduce(x, 2), (IMAGE,)),
    "preprocess.resample.enlarge": Case(lambda x: resample.enlarge(x, 2), (IMAGE,)),
    "preprocess.resample.resample": Case(
        lambda x: resample.resample(x, (4, 6), scale=(0.5, 0.5), shift=(0.0, 0.25)), (IMAGE[..., 0],)
    ),
    "preprocess.small_holes.small_holes": Case(small_holes.small_holes, (MASK[..., None],)),
    "preprocess.small_holes.fill_small_holes": Case(
        small_holes.fill_small_holes, (IMAGE[None, ..., 0], 1 - MASK, IMAGE[None, None, ..., 1])
    ),
    "preprocess.windows.first_row": Case(lambda n: windows.first_row(n, 4, 2, 16), (np.int32(1),)),
    "preprocess.windows.cut": Case(lambda x: windows.cut(x, jnp.int32(2), 4, 8), (IMAGE,)),
    "postprocess.merge.paste": Case(lambda x, y: merge.paste(x, y, jnp.int32(2), 8), (IMAGE, 1 - IMAGE[:4])),
    "postprocess.planes.changed_planes": Case(
        lambda change, *p: to_planes.changed_planes(p, change, YUV), (IMAGE - 0.5, *PLANES)
    ),
    "postprocess.planes.planes_of_clip": Case(
        lambda x: to_planes.planes_of_clip(x, YUV, SIZE, dtype=np.dtype(np.uint8)), (IMAGE,)
    ),
}
CONSTANTS = {
    "preprocess.colour.from_rgb",
    "preprocess.colour.to_rgb",
    "preprocess.colour.noise_in_ycbcr",
    "preprocess.dct.dct_matrix",
    "preprocess.planes.sample_range",
    "preprocess.planes.chroma_scale",
    "preprocess.planes.chroma_shift",
}
"""Functions of numbers and pixel formats alone."""


def public_functions() -> dict[str, Callable]:
    rooms = [
        importlib.import_module(f"{preprocess.__name__}.{m.name}") for m in pkgutil.iter_modules(preprocess.__path__)
    ]
    found = {}
    for module in (*rooms, merge, to_planes):
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
                found[f"{module.__name__}.{name}".removeprefix("vdiff_jax.")] = function
    return found


def test_every_function_is_in_the_table():
    assert sorted(public_functions()) == sorted(CASES.keys() | CONSTANTS)


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_constants_take_no_arrays(name):
    parameters = inspect.signature(public_functions()[name]).parameters.values()
    assert not [p.name for p in parameters if "Array" in str(p.annotation) or "ndarray" in str(p.annotation)]


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request):
    """The case with its function compiled once for all tests, and its result."""
    function, arrays = CASES[request.param]
    compiled = jax.jit(function)
    return function, compiled, arrays, compiled(*arrays)


def same(results, expected) -> bool:
    """Whether two results have the same types, and the same values to rounding."""
    pairs = zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True)
    return all(a.dtype == b.dtype and np.allclose(a, b, rtol=0, atol=1e-6, equal_nan=True) for a, b in pairs)


def test_compiled_equals_eager_and_inputs_are_unchanged(case):
    function, _, arrays, expected = case
    given = [jnp.asarray(array) for array in arrays]
    assert same(function(*given), expected)
    for array, before in zip(given, arrays):
        np.testing.assert_array_equal(array, before)


def test_leading_axes_are_a_batch(case):
    _, compiled, arrays, expected = case
    others = [np.flip(array) for array in arrays]
    batch = compiled(*(np.stack([array, other])[None] for array, other in zip(arrays, others)))
    assert same(jax.tree.map(lambda leaf: np.asarray(leaf)[0, 0], batch), expected)
    assert same(jax.tree.map(lambda leaf: np.asarray(leaf)[0, 1], batch), compiled(*others))
