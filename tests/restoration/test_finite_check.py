"""The share of frames that may fail."""

import logging

import numpy as np
import pytest

from vdiff_jax.errors import NotFiniteError
from vdiff_jax.restoration.finite_check import FiniteCheck


def counted(length, *failing):
    check = FiniteCheck()
    finite = ~np.isin(np.arange(length), failing)
    for begin in range(0, length, 8):
        check.count(finite[begin : begin + 8])
    return check


@pytest.mark.parametrize(("length", "failing"), [(8, [0]), (400, [100, 200, 300])])
def test_up_to_one_percent_are_warned_of_once(caplog, length, failing):
    check = counted(length, *failing)
    with caplog.at_level(logging.WARNING):
        check.close()
    assert f"for {len(failing)} of {length} frames" in caplog.text
    assert check.report() == {"frames_not_finite": len(failing)}


@pytest.mark.parametrize(("length", "failing"), [(8, [0, 7]), (400, [250, 251, 252])])
def test_more_are_an_error_at_once(length, failing):
    with pytest.raises(NotFiniteError, match=f"for {len(failing)} of"):
        counted(length, *failing)


def test_nothing_is_said_of_finite_frames(caplog):
    check = counted(16)
    check.close()
    assert not caplog.records
    assert check.report() == {}
