"""VMAF, by libvmaf in an FFmpeg beside PyAV's, which comes without: PyPI's imageio-ffmpeg brings one."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import FormatError, MissingError
from vdiff_jax.pixels import Frame, PixelFormat

_GRAPH = "[0:v][1:v]libvmaf=n_threads=2:log_fmt=json:log_path=log.json"
"""Netflix's default model (v0.6.1); the names are of the folder it runs in, for FFmpeg would have paths escaped."""


class Vmaf:
    """Measures VMAF, 0 to 100.

    Raises:
      MissingError: there is no FFmpeg with libvmaf.
    """

    def __init__(self) -> None:
        self._ffmpeg = _find()

    def __call__(self, shown: Sequence[Frame], truth: Sequence[Frame], pixels: PixelFormat) -> Float[np.ndarray, " n"]:
        """Each frame's, beside what it should be.

        Raises:
          FormatError: libvmaf refuses the frames.
        """
        height, width = shown[0].planes[0].shape
        raw = ["-f", "rawvideo", "-pix_fmt", pixels.name, "-s", f"{width}x{height}"]
        with tempfile.TemporaryDirectory() as folder:
            for name, frames in (("shown", shown), ("truth", truth)):
                _write(Path(folder) / name, frames)
            inputs = [*raw, "-i", "shown", *raw, "-i", "truth"]
            run = _run([self._ffmpeg, "-v", "error", *inputs, "-lavfi", _GRAPH, "-f", "null", "-"], folder)
            if run.returncode:
                says = run.stderr.strip()[-300:]
                raise FormatError(f"VMAF can't be measured of {width}x{height} {pixels.name}: {says}")
            log = json.loads((Path(folder) / "log.json").read_text())
        return np.array([frame["metrics"]["vmaf"] for frame in log["frames"]])


def _find() -> str:
    for path in _candidates():
        with contextlib.suppress(OSError):
            if " libvmaf " in _run([path, "-hide_banner", "-filters"], None).stdout:
                return path
    raise MissingError(
        "VMAF is measured by an FFmpeg with libvmaf, and there is none: pip install 'vdiff_jax[vmaf]', or put one on "
        "the PATH, or pass crf or bitrate instead"
    )


def _candidates() -> Iterator[str]:
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        yield imageio_ffmpeg.get_ffmpeg_exe()
    found = shutil.which("ffmpeg")
    if found is not None:
        yield found


def _write(path: Path, frames: Sequence[Frame]) -> None:
    with path.open("wb") as file:
        for plane in (plane for frame in frames for plane in frame.planes):
            file.write(np.ascontiguousarray(plane).tobytes())


def _run(command: list[str], folder: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
