"""Errors in one line, for stderr."""


def one_line(error: Exception) -> str:
    """An error's message in one line."""
    return " ".join(str(error).split())


def unforeseen(command: str, error: Exception) -> str:
    """One line for an unexpected error: one that is not a `VdiffError`."""
    if isinstance(error, MemoryError):
        return f"{command} has run out of memory: close other programs, or pass a smaller scale or size"
    kind = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
    return f"{command} has failed unexpectedly ({kind}): repeat it with --debug and report what that prints"
