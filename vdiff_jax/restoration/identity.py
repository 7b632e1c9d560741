"""What identifies a run: a run can be resumed only if all of it is the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from vdiff_jax import media
from vdiff_jax.runtime.version import __version__


def run_identity(command: str, inputs: Sequence[str | Path]) -> dict[str, Any]:
    """The command, the version, the kind of device and the inputs, as JSON."""
    return {
        "command": command,
        "version": __version__,
        "device": jax.default_backend(),
        "input": [media.fingerprint(each) for each in inputs],
    }


def as_json(value: Any) -> Any:
    """An option's value as JSON."""
    return value if value is None or isinstance(value, bool | int | float | str | list | tuple | dict) else str(value)
