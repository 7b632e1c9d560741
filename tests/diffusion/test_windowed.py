"""A function in windows gives the result of the function on the whole picture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.diffusion.windowed import windowed

HALO = 4


def blurred(fine: jax.Array, coarse: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums of the rows around each row: 4 on either side of the fine grid, 2 of the coarse one."""

    def rows_around(image: jax.Array, reach: int) -> jax.Array:
        padded = jnp.pad(image, ((reach, reach), (0, 0), (0, 0)))
        return sum(padded[n : n + image.shape[0]] for n in range(2 * reach + 1))

    return rows_around(fine, HALO), rows_around(coarse, HALO // 2)


@pytest.mark.parametrize("rows", [2, 6, 10, None])
def test_windows_equal_the_whole(rows):
    rng = np.random.default_rng(0)
    arrays = tuple(jnp.asarray(rng.random((height, 3, 2), np.float32)) for height in (32, 16))
    heights = []

    def function(fine, coarse):
        heights.append(fine.shape[0])
        return blurred(fine, coarse)

    result = windowed(function, *arrays, rows=rows, halo=HALO)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), result, blurred(*arrays))
    assert set(heights) == {32 if rows is None else rows + 2 * HALO}
