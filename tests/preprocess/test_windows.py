"""Windows cover a frame, lie inside it, and are merged again (postprocess/merge.py)."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.postprocess.merge import paste
from vdiff_jax.preprocess.windows import cut, first_row


@pytest.mark.parametrize("height", [32, 36, 40])
def test_windows_own_every_row_and_keep_their_halo_inside(height):
    rows, halo = 8, 4
    owned = np.zeros(height, bool)
    for index in range(-(-height // rows)):
        start, own = first_row(jnp.int32(index), rows, halo, height)
        assert 0 <= start <= own <= height - rows
        assert start + rows + 2 * halo <= height
        assert own - start >= min(halo, own)
        assert start + 2 * halo - own >= min(halo, height - own - rows)
        owned[own : own + rows] = True
    assert owned.all()


def test_leaves_on_coarser_grids_are_cut_and_merged_where_they_cover_the_same_rows():
    fine, coarse = (np.arange(n * 3, dtype=np.float32).reshape(n, 1, 3) for n in (16, 4))
    tree = {"fine": jnp.asarray(fine), "coarse": jnp.asarray(coarse)}
    band = cut(tree, jnp.int32(4), 8, 16)
    np.testing.assert_array_equal(band["fine"], fine[4:12])
    np.testing.assert_array_equal(band["coarse"], coarse[1:3])
    merged = paste(tree, {name: -leaf for name, leaf in band.items()}, jnp.int32(4), 16)
    np.testing.assert_array_equal(merged["fine"][:, 0, 0], np.r_[fine[:4, 0, 0], -fine[4:12, 0, 0], fine[12:, 0, 0]])
    np.testing.assert_array_equal(
        merged["coarse"][:, 0, 0], np.r_[coarse[:1, 0, 0], -coarse[1:3, 0, 0], coarse[3:, 0, 0]]
    )
