"""Collecting the warnings that are logged while a command runs, for its report."""

import contextlib
import logging
from collections.abc import Iterator


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
