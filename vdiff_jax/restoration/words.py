"""A plan in words: what was measured, what is done and why, and suggestions in further lines."""

import jax

from vdiff_jax import media
from vdiff_jax.tasks.plan import Plan


def plan_text(source: media.VideoInfo, output: media.VideoInfo, plan: Plan) -> str:
    """A line with the input's properties, the tasks, weights, device and reason, and a line for each suggestion.

    Args:
      source: the input's properties.
      output: the output's.
      plan: what is done.
    """
    found = f"{source.width}x{source.height}, {float(source.rate):.4g} frames/s"
    suggested = "".join(f"\n  {text}" for text in plan.suggestions)
    if not plan.tasks:
        return f"{found}: nothing to do; {plan.why}{suggested}"
    changes = [
        f"to {output.width}x{output.height}" if (output.width, output.height) != (source.width, source.height) else "",
        f"to {float(output.rate):.4g} frames/s" if output.rate != source.rate else "",
    ]
    done = " ".join([" and ".join(plan.tasks), *filter(None, changes)])
    network = f" with {plan.weights} on {jax.local_devices()[0].device_kind}" if plan.weights else ""
    part = f" at strength {float(plan.strength):g}" if plan.strength != 1 else ""
    return f"{found}: {done}{part}{network}; {plan.why}{suggested}"
