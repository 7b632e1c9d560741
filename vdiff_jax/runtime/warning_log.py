"""Collecting the warnings that are logged while a command or a function runs, for its report."""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]):
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._messages:
            self._messages.append(message)


@contextlib.contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The package's warnings, each once, in the order in which they are logged inside the `with` block."""
    messages: list[str] = []
    collector = _Collector(messages)
    logger = logging.getLogger("vdiff_jax")
    logger.addHandler(collector)
    try:
        yield messages
    finally:
        logger.removeHandler(collector)


def reports_warnings(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A decorator: the warnings that are logged while the function runs are added to its report under `warnings`.

    The report is the dictionary that the function returns, or the attribute `report` of what it returns.
    """

    @functools.wraps(function)
    def with_warnings(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
        with collected_warnings() as messages:
            result: Any = function(*arguments, **keywords)
        report = result if isinstance(result, dict) else getattr(result, "report", None)
        if isinstance(report, dict):
            report["warnings"] = messages
        return result

    return with_warnings
