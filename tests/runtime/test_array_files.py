"""Files of arrays: whole or not there at all."""

import numpy as np
import pytest

from vdiff_jax.runtime.array_files import ArrayFile, read_arrays, write_arrays


def test_arrays_that_were_added_one_after_the_other_are_read_in_their_order(tmp_path):
    file = ArrayFile(tmp_path / "a.part")
    file.add([np.arange(6).reshape(2, 3)])
    file.add([np.array([], np.float32), np.array(7)])
    assert not (tmp_path / "a.npz").exists()
    file.complete(tmp_path / "a.npz")
    first, empty, number = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(first, [[0, 1, 2], [3, 4, 5]])
    assert (empty.shape, empty.dtype, int(number)) == ((0,), np.float32, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_nothing_stays_of_a_file_that_was_abandoned(tmp_path):
    file = ArrayFile(tmp_path / "a.part")
    file.add([np.zeros(100)])
    file.abandon()
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_earlier_file(tmp_path):
    write_arrays(tmp_path / "a.npz", [np.ones(2)])
    with pytest.raises(TypeError, match="array of references"):
        write_arrays(tmp_path / "a.npz", [np.zeros(2), np.array([{}], dtype=object)])
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")[0], [1, 1])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
