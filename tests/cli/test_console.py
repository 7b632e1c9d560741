"""The log on the console."""

import logging

import pytest

from vdiff_jax.cli.console import log_to_console


@pytest.fixture
def handlers():
    """Puts the log's handlers and levels back afterwards."""
    package = logging.getLogger("vdiff_jax")
    kept, level, of_package = logging.root.handlers[:], logging.root.level, package.level
    yield
    logging.root.handlers[:] = kept
    logging.root.setLevel(level)
    package.setLevel(of_package)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"quiet": False, "debug": False}, ["said", "WARNING: warned"]),
        ({"quiet": False, "debug": True}, ["DEBUG: detail", "said", "WARNING: warned"]),
        ({"quiet": True, "debug": False}, []),
    ],
)
def test_information_is_plain_and_quiet_hides_it(handlers, capsys, options, expected):
    log_to_console(**options)
    log = logging.getLogger("vdiff_jax.x")
    log.debug("detail")
    log.info("said")
    log.warning("warned")
    log.warning("warned")  # as at the second reading of a damaged file
    logging.getLogger("other").info("of another package")
    assert capsys.readouterr().err.splitlines() == expected
