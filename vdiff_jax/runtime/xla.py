"""XLA's flags: they count only if they are set before JAX starts, and XLA ends a program that sets one it lacks."""

import os

from jaxlib.version import __version_info__

_FLAGS = {
    # Devices of one machine wait for each other as long as it takes: a laptop sleeps.
    "--xla_cpu_collective_call_terminate_timeout_seconds": ("1000000", (0, 8)),
    # Convolutions stay with Eigen: YNNPACK, which XLA would hand them to, is slower at ours.
    "--xla_cpu_experimental_ynn_fusion_type": ("", (0, 9)),
}
"""Each flag's value, and the first version of jaxlib that knows it."""

_NEWEST = (0, 10)
"""The newest version of jaxlib that is known to know them all."""


def set_flags() -> None:
    """Adds our flags to XLA_FLAGS, but those that the caller has set; a file of flags is left as it is."""
    given = os.environ.get("XLA_FLAGS", "").strip()
    if given and not given.startswith("-"):
        return
    version = __version_info__[:2]
    ours = [
        f"{name}={value}"
        for name, (value, since) in _FLAGS.items()
        if since <= version <= _NEWEST and name not in given
    ]
    os.environ["XLA_FLAGS"] = " ".join([*ours, given]).strip()
