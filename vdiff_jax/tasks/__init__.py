"""The table of tasks."""

from vdiff_jax.tasks import colorize, deblock, denoise, inpaint, interpolate, superres
from vdiff_jax.tasks.task import Task

TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK for module in (denoise, deblock, inpaint, superres, interpolate, colorize)
}
