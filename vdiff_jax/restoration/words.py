"""A repair in one line: what was found, and what is done about it."""

import jax

from vdiff_jax import media
from vdiff_jax.tasks.plan import Plan


def plan_text(source: media.VideoInfo, output: media.VideoInfo, plan: Plan) -> str:
    """What was found, what will be done, with which weights, on which device.

    Args:
      source: the input's properties.
      output: the output's.
      plan: what is done.
    """
    found = f"{source.width}x{source.height}, {float(source.rate):.4g} frames/s"
    if not plan.tasks:
        return f"{found}: nothing to do; {plan.why}"
    changes = [
        f"to {output.width}x{output.height}" if (output.width, output.height) != (source.width, source.height) else "",
        f"to {float(output.rate):.4g} frames/s" if output.rate != source.rate else "",
    ]
    done = " ".join([" and ".join(plan.tasks), *filter(None, changes)])
    network = f" with {plan.weights} on {jax.local_devices()[0].device_kind}" if plan.weights else ""
    return f"{found}: {done}{network}; {plan.why}"
