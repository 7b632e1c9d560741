"""Warnings are collected while a block or a function runs, each once."""

import logging
from types import SimpleNamespace

from vdiff_jax.runtime.warning_log import collected_warnings, reports_warnings

log = logging.getLogger("vdiff_jax.somewhere")


def test_each_warning_of_the_package_is_collected_once():
    log.warning("before")
    with collected_warnings() as messages:
        log.warning("%d lost", 3)
        log.warning("3 lost")
        log.info("no warning")
        logging.getLogger("another").warning("another package")
    log.warning("after")
    assert messages == ["3 lost"]


def test_reports_name_their_own_warnings():
    @reports_warnings
    def inner(count: int, *, text: str) -> dict:
        log.warning(text)
        return {"frames": count}

    @reports_warnings
    def outer() -> SimpleNamespace:
        log.warning("outside")
        return SimpleNamespace(report=inner(3, text="inside"))

    assert inner(2, text="alone") == {"frames": 2, "warnings": ["alone"]}
    assert outer().report == {"frames": 3, "warnings": ["outside", "inside"]}

    @reports_warnings
    def nothing_to_report() -> int:
        return 5

    assert nothing_to_report() == 5
