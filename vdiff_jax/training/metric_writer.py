"""The metrics of a training run, in metrics.jsonl and for TensorBoard."""

import json
import time
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tensorboardX import SummaryWriter

from vdiff_jax import sharding

Scalars = dict[str, float]


class MetricWriter:
    """Writes metrics in process 0; elsewhere it does nothing. A context manager.

    Args:
      workdir: the folder to write in.
      step: the last step of the run so far. Lines of later steps, left by a run that was killed, are removed.
    """

    def __init__(self, workdir: Path, step: int):
        self._workdir, self._step, self._begun = workdir, step, time.monotonic()
        self._lines = self._board = None

    def __enter__(self) -> "MetricWriter":
        if sharding.is_first_process():
            path = self._workdir / "metrics.jsonl"
            kept = [line for line in _complete_lines(path) if json.loads(line)["step"] <= self._step]
            partial = path.with_suffix(".part")
            partial.write_text("".join(f"{line}\n" for line in kept))
            partial.replace(path)
            self._lines = path.open("a")
            self._board = SummaryWriter(str(self._workdir / "tensorboard"), purge_step=self._step + 1)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._lines is not None:
            self._lines.close()
            self._board.close()

    def write_scalars(self, step: int, values: Scalars) -> None:
        """Writes one line: the step, the seconds since the run began or went on, and the values."""
        if self._lines is None:
            return
        line = {"step": step, "seconds": round(time.monotonic() - self._begun, 3), **values}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for key, value in values.items():
            self._board.add_scalar(key, value, step)

    def write_image(self, step: int, name: str, image: Float[np.ndarray, "h w 3"]) -> None:
        """Writes an image, R'G'B' in [0, 1], for TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, image, step, dataformats="HWC")


def _complete_lines(path: Path) -> list[str]:
    """The lines of a file without a last one that was cut short."""
    return path.read_text().split("\n")[:-1] if path.exists() else []
