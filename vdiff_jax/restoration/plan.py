"""Decides what a video needs: which task, with which expected error, and why."""

import dataclasses
import logging

from vdiff_jax import tasks
from vdiff_jax.errors import OptionError
from vdiff_jax.stream.sigma import BLOCKS, Coding, measure_coding
from vdiff_jax.tasks import deblock, denoise
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import CLEAN, given_or_measured_sigma, plan_of
from vdiff_jax.weights import for_task, trained_tasks

log = logging.getLogger(__name__)

VISIBLE, FAINT = 4 / 255, 3 / 255
"""From these errors of luma on, in [0, 1], deblock is done, or suggested."""
WEAK = 3.0 / 255
"""Noise below this sigma is hardly visible and is left. Where luma alone is noisy, to remove weaker noise may harm: on
davis_goat, the scene with the most moving texture, it gains -0.2 dB at sigma 2.2, +0.4 at 3, +1.4 at 5.2."""
VISIBLE_BLOCKS = 1.0
"""Without quantisers deblock is done from this result of `block_steps` on: steps between blocks are twice as large."""
LOSSLESS = frozenset({"", "ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png", "gif", "qtrle", "magicyuv"})
"""Codecs that leave no error; "" stands for pictures and arrays."""


def make_plan(task: str, request: Request) -> Plan:
    """The plan for a video.

    Args:
      task: "auto" or a task. An option of one task alone, such as scale, implies that task.
      request: the options, and what is known of the video.

    Raises:
      OptionError: an unknown task, a sigma or a strength out of range, an option of another task; or what the task's
        own `plan` raises.
      MaskError: inpaint without a mask.
    """
    if task != "auto" and task not in tasks.NAMES:
        raise OptionError(f"unknown task {task}: pass one of {', '.join(('auto', *tasks.NAMES))}")
    if request.sigma is not None and not 0 <= request.sigma <= 255:
        raise OptionError(f"sigma {request.sigma} is out of range: pass 0 to 255, in 8-bit units")
    for name in tasks.NAMES:
        for option in sorted(tasks.find(name).options):
            if getattr(request, option) is None or name == task:
                continue
            if task != "auto":
                raise OptionError(
                    f"{option} is an option of {name}, not of {task}: leave one out, or run one after the other"
                )
            task = name
    if not 0 <= request.strength <= 1:
        raise OptionError(f"strength {float(request.strength):g} is out of range: pass 0 (the input) to 1 (the result)")
    plan = plan_automatically(request) if task == "auto" else tasks.find(task).plan(request)
    if request.strength != 1:
        if plan.interval is not None or plan.conversion.written() != (request.pixels, request.shape):
            raise OptionError(f"{plan.tasks[0]} makes frames that the input does not have: leave out strength")
        plan = dataclasses.replace(plan, strength=request.strength)
    if request.both_directions and plan.tasks:
        if plan.interval is not None or plan.references is not None:
            log.warning("--quality best changes nothing for %s", plan.tasks[0])
            return plan
        return dataclasses.replace(plan, both_directions=True)
    return plan


def plan_automatically(request: Request) -> Plan:
    """Plans deblock if a lossy codec left a visible error above the noise, else denoise; nothing if both are small."""
    sigma, why = given_or_measured_sigma(request)
    if request.sigma is not None:
        return plan_of(request, "denoise", sigma, why, finish=denoise.FINISH)
    coding = _coding(request)
    if coding is not None and coding.sigma[0] >= max(VISIBLE, sigma[0]) and coding.blocks >= VISIBLE_BLOCKS:
        codec, finish = coding.codec, deblock.FINISH
        return plan_of(request, "deblock", coding.sigma, coding.why, codec=codec, finish=finish, least=CLEAN)
    plan = plan_of(request, "denoise", sigma, why, finish=denoise.FINISH, least=WEAK)
    if coding is None or plan.tasks or coding.sigma[0] < FAINT or coding.blocks < BLOCKS:
        return plan
    return dataclasses.replace(plan, suggestions=(f"{coding.why}: add --task deblock to remove it",))


def _coding(request: Request) -> Coding | None:
    """The coding error; `None` if the codec leaves none, or the weights cannot remove it."""
    if request.codec in LOSSLESS or "deblock" not in trained_tasks(for_task(request.weights, "deblock")):
        return None
    return measure_coding(request.frames, request.pixels, request.codec)
