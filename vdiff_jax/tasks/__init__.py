"""The table of tasks."""

from vdiff_jax.tasks import denoise, inpaint
from vdiff_jax.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (denoise.TASK, inpaint.TASK)}
