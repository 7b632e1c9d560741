import numpy as np

from vdiff_jax.stitching.offsets import chain_offsets
from vdiff_jax.stitching.synchronise import Offset

# `offsets_from_overlap` and `offsets_from_features` are tested on whole rigs in test_calibrate_rig.py.


def _offset(seconds, agreement, margin=0.5):
    return Offset(seconds=seconds, agreement=agreement, margin=margin)


def test_offsets_are_chained_along_the_pairs_that_agree_best():
    pairs = {(0, 1): _offset(0.5, 0.9), (1, 2): _offset(-0.2, 0.8), (0, 2): _offset(7.0, 0.4)}
    offsets, unknown = chain_offsets(pairs, 3)
    np.testing.assert_allclose(offsets, [0, 0.5, 0.3])
    assert unknown == []


def test_a_pair_is_followed_in_both_directions():
    offsets, _ = chain_offsets({(0, 2): _offset(1.0, 0.9), (1, 2): _offset(0.25, 0.9)}, 3)
    np.testing.assert_allclose(offsets, [0, 0.75, 1.0])


def test_cameras_without_a_reliable_pair_start_with_the_first():
    offsets, unknown = chain_offsets({(0, 1): _offset(0.5, 0.9), (1, 2): _offset(3.0, 0.9, margin=0.0)}, 3)
    np.testing.assert_allclose(offsets, [0, 0.5, 0])
    assert unknown == [2]
