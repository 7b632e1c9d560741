"""The package's log on the console: information as plain lines, warnings with their level, above a progress bar."""

import logging
import sys


class ConsoleHandler(logging.StreamHandler):
    """Writes log lines to stderr without breaking a progress bar; each warning once, though a file is read twice."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._warnings: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """Whether a record is written: not if it is a warning that has been written before."""
        known, text = len(self._warnings), record.getMessage()
        if record.levelno != logging.WARNING:
            return super().filter(record)
        self._warnings.add(text)
        return len(self._warnings) > known and super().filter(record)

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return text if record.levelno == logging.INFO else f"{record.levelname}: {text}"

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr.isatty():
            from tqdm import tqdm

            tqdm.write(self.format(record), file=sys.stderr)
        else:
            super().emit(record)


def log_to_console(*, quiet: bool, debug: bool) -> None:
    """Sends the log to stderr: errors only if `quiet`, everything if `debug`."""
    logging.basicConfig(level=logging.WARNING, handlers=[ConsoleHandler()], force=True)
    if quiet:  # the report lists warnings all the same
        logging.getLogger().handlers[0].setLevel(logging.ERROR)
    logging.getLogger("vdiff_jax").setLevel(logging.DEBUG if debug else logging.INFO)
