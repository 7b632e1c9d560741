"""XLA's flags. They take effect only if set before JAX starts, and XLA aborts on a flag that it does not know."""

import os

from jaxlib.version import __version_info__

_FLAGS = {
    # The devices of a machine wait for each other without a time limit, because a laptop may sleep meanwhile.
    "--xla_cpu_collective_call_terminate_timeout_seconds": ("1000000", (0, 8)),
    # The older way of fusing operations compiles in half the time, and the result runs as fast.
    "--xla_cpu_use_fusion_emitters": ("false", (0, 8)),
    # Convolutions use Eigen: YNNPACK, XLA's default, is slower for ours.
    "--xla_cpu_experimental_ynn_fusion_type": ("", (0, 9)),
}
"""Each flag's value, and the first version of jaxlib that knows it."""

_NEWEST = (0, 10)
"""The newest version of jaxlib in which all flags were tried."""


def set_flags() -> None:
    """Adds the flags that the user has not set to XLA_FLAGS, and silences XLA's log.

    If XLA_FLAGS names a file, it is left unchanged.
    """
    # XLA's own log, such as its alarm about slow compilation, is no concern of users. Fatal errors are printed still.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
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
