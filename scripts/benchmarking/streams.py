"""Encodes, decodes and filters video, and measures VMAF, by the static FFmpeg in PyPI's imageio-ffmpeg."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarking.scenes import write_frames

MODELS = {"vmaf": "version=vmaf_v0.6.1", "vmaf_neg": "version=vmaf_v0.6.1neg"}
_QUANTISERS = ["-export_side_data", "venc_params"]
"""Passes the stream's quantisers on to FFmpeg's filters."""
_TO_RGB = "scale=in_color_matrix=bt709:flags=bilinear+accurate_rnd+full_chroma_int,format=rgb24"


def encode(frames: np.ndarray, crf: str, path: Path) -> None:
    """Encodes frames, uint8 RGB `t h w 3`, by x264: preset medium, 4:2:0, BT.709. Width and height have to be even."""
    partial = path.with_name(f"part.{path.name}")  # renamed at the end, so that `path` is complete or does not exist
    colours = ["-vf", "scale=out_color_matrix=bt709:flags=area+accurate_rnd,format=yuv420p", "-colorspace", "bt709"]
    ffmpeg([*_raw(frames), *colours, "-c:v", "libx264", "-crf", crf, str(partial)], frames.tobytes())
    partial.rename(path)


def decode(path: Path, shape: tuple[int, ...], graph: str = "null") -> np.ndarray:
    """A stream's frames after a filter graph, uint8 RGB of the given shape `t h w 3`."""
    pictures = ffmpeg([*_QUANTISERS, "-i", str(path), "-vf", f"{graph},{_TO_RGB}", "-f", "rawvideo", "-"])
    return np.frombuffer(pictures, np.uint8).reshape(shape)


def run_filter(graph: str, frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Frames, uint8 RGB `t h w 3`, after a filter graph, and the seconds that it took with FFmpeg's start-up.

    Raises:
      RuntimeError: FFmpeg failed; the message ends with FFmpeg's own.
    """
    arguments = [*_raw(frames), "-vf", f"{graph},format=rgb24", "-f", "rawvideo", "-"]
    begun = time.perf_counter()
    pictures = ffmpeg(arguments, frames.tobytes())
    return np.frombuffer(pictures, np.uint8).reshape(-1, *frames.shape[1:]), time.perf_counter() - begun


def read_yuv(path: Path) -> np.ndarray:
    """The luma of a video's frames, uint8 `t h w`."""
    size = re.search(r"Video:.*?(\d{2,})x(\d{2,})", _log(["-i", str(path), "-map", "0:v", "-c", "copy"]))
    width, height = int(size[1]), int(size[2])
    raw = ffmpeg(["-i", str(path), "-f", "rawvideo", "-pix_fmt", "gray", "-vf", "extractplanes=y", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width)


def to_rgb(path: Path) -> np.ndarray:
    """A video's frames, uint8 RGB `t h w 3`."""
    return decode(path, (*read_yuv(path).shape, 3))


def compare(path: Path, source: Path) -> dict[str, float]:
    """VMAF and VMAF NEG (0 to 100, mean over frames) of a video against a source of the same size and length."""
    inputs = ["-i", str(path), "-i", str(source)]
    planes = "[0:v]setpts=N[a];[1:v]setpts=N[b];[a][b]"
    return {key: _vmaf([*inputs, "-lavfi", f"{planes}libvmaf=n_threads=2:model={m}"]) for key, m in MODELS.items()}


def vmaf(frames: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """VMAF and VMAF NEG (0 to 100, mean over frames) of frames against the clean ones, both uint8 RGB `t h w 3`."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"frames": frames, "clean": clean}
        for name, pictures in names.items():
            write_frames(Path(folder) / name, pictures)
        inputs = [part for name in names for part in ("-i", f"{folder}/{name}/%05d.png")]
        planes = "[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]"
        graphs = {key: f"{planes}libvmaf=n_threads=2:model={model}" for key, model in MODELS.items()}
        return {key: _vmaf([*inputs, "-lavfi", graph]) for key, graph in graphs.items()}


def _vmaf(arguments: list[str]) -> float:
    return float(re.search(r"VMAF score: ([\d.]+)", _log(arguments))[1])


def ffmpeg(arguments: list[str], piped: bytes = b"") -> bytes:
    """Runs FFmpeg in two threads with `piped` as its stdin, and returns its stdout.

    Raises:
      RuntimeError: FFmpeg failed; the message ends with FFmpeg's own.
    """
    return _run(["-loglevel", "error", *arguments], piped).stdout


def _log(arguments: list[str]) -> str:
    return _run(["-loglevel", "info", *arguments, "-f", "null", "-"], b"").stderr.decode()


def _run(arguments: list[str], piped: bytes) -> subprocess.CompletedProcess:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-filter_threads", "2", "-threads", "2", *arguments]
    run = subprocess.run(command, input=piped, capture_output=True, check=False)
    if run.returncode:
        raise RuntimeError(f"ffmpeg {' '.join(arguments)}: {run.stderr.decode().strip()[-500:]}")
    return run


def _raw(frames: np.ndarray) -> list[str]:
    """The options by which FFmpeg reads frames from stdin."""
    height, width = frames.shape[1:3]
    return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", "-"]
