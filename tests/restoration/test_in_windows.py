"""Windows become smaller when the device runs out of memory."""

import logging

import jax
import numpy as np
import pytest

from vdiff_jax.errors import DeviceMemoryError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.restoration.in_windows import InWindows

FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1073741824 bytes.")


def network(most, *, error=FULL):
    """A function of a carry and a number for frames of 64x32 pixels; windows above `most` rows fail with the error."""
    compiled = []

    def compiling(rows, arguments):
        compiled.append(rows)

        def run(carry, number):
            if rows > most:
                raise error
            return carry + 1, (number * 2, np.array(rows))

        return run

    return InWindows(compiling, (32, 64), SIZES["fast"]), compiled


def test_the_window_is_halved_until_it_fits_and_stays_so(caplog):
    run, compiled = network(4)
    with caplog.at_level(logging.WARNING):
        assert run(1, 5) == (2, (10, 4))
        assert run(2, 6) == (3, (12, 4))
    assert compiled == [16, 8, 4]
    assert [record.message[-33:] for record in caplog.records] == [
        " windows of 16 rows instead of 32",
        "n windows of 8 rows instead of 16",
    ]


def test_smallest_windows_that_do_not_fit_are_an_error():
    run, _ = network(0)
    with pytest.raises(DeviceMemoryError, match="too small for 64x32, even in windows of 8 rows"):
        run(1, 5)


def test_other_errors_pass():
    run, compiled = network(0, error=jax.errors.JaxRuntimeError("INTERNAL: broken"))
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        run(1, 5)
    assert compiled == [16]
