"""The network in ONNX Runtime gives the frames that JAX gives.

exporting/onnx_session.py, exporting/runtime.py, restoration/chunk_function.py, restoration/compiled.py
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from flax import nnx

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.errors import MissingError
from vdiff_jax.exporting.runtime import onnx_runtime
from vdiff_jax.nn.network import SIZES, Network
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.video import ChunkInputs
from vdiff_jax.weights import Weights

SIZE, FRAMES = (44, 64), 4


@pytest.fixture(scope="module")
def inputs():
    """Four frames and the one after them: noisy, with a hole; the second is empty, the third free of error."""
    rng = np.random.default_rng(0)
    error = np.zeros((FRAMES + 1, *SIZE), np.float32)
    error[:, 10:20, 30:50] = np.inf
    error[2] = 0
    sigma = np.full((FRAMES + 1, 3), 0.1, np.float32)
    sigma[2] = 0
    return ChunkInputs(
        planes=tuple(rng.integers(0, 256, (FRAMES + 1, *SIZE), np.uint8) for _ in range(3)),
        valid=np.array([1, 0, 1, 1, 1], np.float32),
        error=error,
        velocity=rng.normal(size=(FRAMES, 11, 16, 4)).astype(np.float32),
        time=np.arange(FRAMES + 1, dtype=np.float32),
        sigma=sigma,
    )


@pytest.fixture(scope="module")
def restorers():
    rng = np.random.default_rng(1)
    definition, params = nnx.split(nnx.eval_shape(lambda: Network(SIZES["tiny"], inputs=input_channels(SIZES["tiny"]))))

    def draw(leaf):
        return jnp.asarray(rng.normal(0, 0.7 / max(1, np.prod(leaf.shape[:-1])) ** 0.5, leaf.shape), jnp.float32)

    network = Weights(definition, jax.tree.map(draw, params), {})
    conversion = SameSize(PixelFormat(kind="rgb", full_range=True), SIZE)
    return [Restorer(network, conversion, lambda q: q, frames=FRAMES, backend=backend) for backend in ("jax", "onnx")]


def test_onnx_runtime_restores_the_frames_that_jax_restores(restorers, inputs):
    (carry, planes), (other_carry, other_planes) = (r.advance(r.start(), inputs, 3) for r in restorers)
    for plane, other in zip(planes, other_planes):
        assert plane.shape == other.shape == (3, *SIZE)
        assert np.abs(plane.astype(int) - other).max() <= 1
        assert np.mean(plane != other) < 1e-3
    assert np.std(planes[0][0].astype(int) - inputs.planes[0][0]) > 1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), carry, other_carry)


def test_after_a_result_that_is_not_finite_the_state_starts_anew(restorers, inputs):
    sigma = inputs.sigma.copy()
    sigma[1] = np.nan
    broken = dataclasses.replace(inputs, sigma=sigma, valid=np.ones_like(inputs.valid))
    made = []
    for restorer in restorers:
        carry, planes = restorer.anew().advance(restorer.start(), broken, 2)
        made.append(jax.tree.leaves(carry))
        np.testing.assert_array_equal(planes[0][1], inputs.planes[0][1])
    for one, other in zip(*made):
        np.testing.assert_array_equal(one, other)


def test_an_onnx_runtime_that_is_missing_or_too_old_is_named(monkeypatch):
    monkeypatch.setattr(onnxruntime, "OrtValue", object())
    monkeypatch.setattr(onnxruntime, "__version__", "1.2.3")
    with pytest.raises(MissingError, match=r"1\.2\.3 is too old for --backend onnx"):
        onnx_runtime()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingError, match="pip install 'vdiff_jax\\[onnx\\]'"):
        onnx_runtime()
