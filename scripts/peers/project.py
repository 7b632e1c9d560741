"""This project as a peer: its command line, from a folder of PNGs to another."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarking.problems import Problem
from benchmarking.scenes import read_frames

from peers.peer import Restored

PYTHON_VARIABLE = "VDIFF_JAX_PYTHON"
"""The environment variable that names the Python in which this project is installed; by default, the running one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Project:
    """`vdiff repair` with one set of weights; "best" stands for `--quality best`.

    If `blind`, the command has to estimate the damage: denoise is not given sigma, and deblock is given the decoded
    pictures instead of the stream.
    """

    name: str
    weights: str
    task: str
    blind: bool = False
    source: str = "this project"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        found = subprocess.run(
            [_python(), "-c", "import vdiff_jax.restoration.pipeline"], capture_output=True, check=False
        )
        return f"vdiff_jax (for {_python()})" if found.returncode else None

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Runs the command. Its seconds are the report's, which include reading and writing but not compilation.

        Raises:
          RuntimeError: the command failed; the message ends with its own.
        """
        folder = Path(tempfile.mkdtemp(dir=problem.folder))
        try:
            report = self._run(problem, folder)
            frames = read_frames(folder / "result")
        finally:
            shutil.rmtree(folder)
        return Restored(
            frames=frames,
            numbers=list(range(len(frames))),
            seconds_per_frame=1 / report["frames_per_second"],
            peak_memory_bytes=report["peak_memory_bytes"],
        )

    def _run(self, problem: Problem, folder: Path) -> dict:
        from_stream = problem.task == "deblock" and not self.blind
        source = problem.stream if from_stream else problem.folder / "input"
        command = [_python(), "-m", "vdiff_jax.infer", "repair", str(source), "-o", f"{folder}/result/"]
        command += ["--task", problem.task, "--report", f"{folder}/report.json", "--quiet"]
        command += ["--quality" if self.weights == "best" else "--weights", self.weights]
        if problem.task == "inpaint":
            command += ["--mask", str(problem.folder / "mask")]
        elif problem.task == "superres":
            command += ["--scale", str(problem.factor), "--sigma", "0"]
        elif problem.task == "interpolate":
            command += ["--slow", "2"]
        elif problem.task == "colorize":
            command += ["--reference", str(problem.reference_file)]
        elif problem.task == "denoise" and not self.blind:
            command += ["--sigma", str(problem.sigma)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{' '.join(command)}: {run.stderr.strip()}")
        return json.loads((folder / "report.json").read_text())


def _python() -> str:
    return os.environ.get(PYTHON_VARIABLE, sys.executable)


def with_weights(task: str, weights: list[str]) -> list[Project]:
    """A peer for each file or name of weights; for denoise and deblock, a blind one of each, too."""
    named = {Path(name).stem: name for name in weights}
    listed = [Project(name=name, weights=path, task=task) for name, path in named.items()]
    if task in ("denoise", "deblock"):
        listed += [Project(name=f"{name} blind", weights=path, task=task, blind=True) for name, path in named.items()]
    return listed
