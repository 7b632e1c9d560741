"""A function is compiled, and its message logged, once for all arguments of the same shapes."""

import logging

import numpy as np

from vdiff_jax.restoration.compiled import compiled


def times(factor, x):
    return factor * x


def test_the_message_is_logged_only_when_something_is_compiled(caplog):
    caplog.set_level(logging.INFO)
    ones = np.ones(7, np.float32)
    for _ in range(2):
        program = compiled(times, (3,), (ones,), "compiling for 7 numbers")
    assert caplog.messages == ["compiling for 7 numbers"]
    np.testing.assert_array_equal(program(ones), 3 * ones)
    compiled(times, (3,), (ones[:5],))
    assert caplog.messages == ["compiling for 7 numbers"]
