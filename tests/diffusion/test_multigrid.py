import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

from vdiff_jax.diffusion import multigrid


def _reference(weight, source):
    def line(count):
        middle = np.full(count, 2.0)
        middle[[0, -1]] = 1
        return sparse.diags_array([middle, -np.ones(count - 1), -np.ones(count - 1)], offsets=[0, 1, -1])

    height, width = weight.shape
    laplacian = sparse.kron(sparse.eye_array(height), line(width)) + sparse.kron(line(height), sparse.eye_array(width))
    return spsolve((laplacian + sparse.diags_array(weight.ravel())).tocsc(), source.ravel()).reshape(weight.shape)


@pytest.mark.parametrize("kind", ["screened", "scattered"])
def test_multigrid_solves_what_a_direct_solver_does(kind):
    rng = np.random.default_rng(0)
    weight = np.full((48, 72), 1e-3) if kind == "screened" else (rng.random((48, 72)) < 0.05) * 1.0
    source = rng.normal(size=(48, 72)) * (1 if kind == "screened" else weight)
    expected = _reference(weight, source)
    found = jax.jit(lambda w, s: multigrid.solve_poisson(w, s, cycles=12))(
        jnp.float32(weight[..., None]), jnp.float32(source[..., None])
    )
    assert np.abs(found[..., 0] - expected).max() < 0.01 * np.abs(expected).max()
