"""VMAF, measured by the libvmaf of a separate FFmpeg program, such as PyPI's imageio-ffmpeg: PyAV's FFmpeg has none."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import FormatError, MissingError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.temporary import temporary_folder

_GRAPH = "[0:v][1:v]libvmaf=n_threads=2:log_fmt=json:log_path=log.json"
"""Netflix's default model (v0.6.1). File names are relative to the working folder: FFmpeg needs paths escaped."""


class Vmaf:
    """Measures VMAF, 0 to 100, frame by frame.

    Raises:
      MissingError: no FFmpeg with libvmaf is installed.
    """

    def __init__(self) -> None:
        self._ffmpeg = _find()

    def __call__(
        self, test: Sequence[Frame], reference: Sequence[Frame], pixels: PixelFormat
    ) -> Float[np.ndarray, " n"]:
        """The VMAF of each frame of `test`, compared with the same frame of `reference`.

        Raises:
          FormatError: libvmaf rejects the size or the format.
        """
        height, width = test[0].planes[0].shape
        raw = ["-f", "rawvideo", "-pix_fmt", pixels.name, "-s", f"{width}x{height}"]
        with temporary_folder() as folder:
            for name, frames in (("test", test), ("reference", reference)):
                _write(Path(folder) / name, frames)
            inputs = [*raw, "-i", "test", *raw, "-i", "reference"]
            run = _run([self._ffmpeg, "-v", "error", *inputs, "-lavfi", _GRAPH, "-f", "null", "-"], folder)
            if run.returncode:
                reason = run.stderr.strip()[-300:]
                raise FormatError(f"VMAF can't be measured at {width}x{height} {pixels.name}: {reason}")
            log = json.loads((Path(folder) / "log.json").read_text())
        return np.array([frame["metrics"]["vmaf"] for frame in log["frames"]])


def _find() -> str:
    """The path of the first FFmpeg that has libvmaf."""
    for path in _candidates():
        with contextlib.suppress(OSError):
            if " libvmaf " in _run([path, "-hide_banner", "-filters"], None).stdout:
                return path
    raise MissingError(
        "no FFmpeg with libvmaf was found, which measures VMAF: pip install 'vdiff_jax[vmaf]', or put one on the PATH, "
        "or pass crf or bitrate instead"
    )


def _candidates() -> Iterator[str]:
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        yield imageio_ffmpeg.get_ffmpeg_exe()
    installed = shutil.which("ffmpeg")
    if installed is not None:
        yield installed


def _write(path: Path, frames: Sequence[Frame]) -> None:
    with path.open("wb") as file:
        for plane in (plane for frame in frames for plane in frame.planes):
            file.write(np.ascontiguousarray(plane).tobytes())


def _run(command: list[str], folder: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
