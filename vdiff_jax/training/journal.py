"""What a run writes down: metrics.jsonl and TensorBoard, by the process that leads."""

import json
import time
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tensorboardX import SummaryWriter

from vdiff_jax import sharding

Record = dict[str, float]


class Journal:
    """A context manager; what was written of steps after `step` by a run that was killed is forgotten.

    Args:
      workdir: where to write.
      step: the last step that counts.
    """

    def __init__(self, workdir: Path, step: int):
        self._workdir, self._step, self._begun = workdir, step, time.monotonic()
        self._lines = self._board = None

    def __enter__(self) -> "Journal":
        if sharding.leads():
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

    def write(self, step: int, values: Record) -> None:
        """One line with the seconds since the journal was begun."""
        if self._lines is None:
            return
        line = {"step": step, "seconds": round(time.monotonic() - self._begun, 3), **values}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        for key, value in values.items():
            self._board.add_scalar(key, value, step)

    def show(self, step: int, name: str, picture: Float[np.ndarray, "h w 3"]) -> None:
        """A picture in TensorBoard, R'G'B' in [0, 1]."""
        if self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")


def _complete_lines(path: Path) -> list[str]:
    """All but a last line that was cut short."""
    return path.read_text().split("\n")[:-1] if path.exists() else []
