"""Errors in one line, for stderr."""

from vdiff_jax.errors import VdiffError


def one_line(error: Exception, command: str) -> str:
    """An error's message in one line. If it is unexpected, not a `VdiffError`, the line says what to do about it."""
    message = " ".join(str(error).split())
    if isinstance(error, VdiffError):
        return message
    if isinstance(error, MemoryError):
        return f"{command} has run out of memory: close other programs, or pass a smaller scale or size"
    kind = f"{type(error).__name__}: {message}".rstrip(": ")
    return f"{command} has failed unexpectedly ({kind}): repeat it with --debug and report what that prints"
