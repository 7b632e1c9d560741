"""Rate-distortion curves of compress and decompress against the plain codec, and their Bjøntegaard delta rates.

    python scripts/benchmark.py compress CLIPS --json OUT.json --picture OUT.png
    python scripts/benchmark.py compress CLIPS --codecs h264 --scenes davis_camel --frames 40 --adapt none

A scene is a video or a folder of pictures in CLIPS. Its first --frames frames are taken, reduced to fit --size, and
stored once as lossless 4:2:0. Each scene is encoded at four crfs by the plain codec and by `compress`, with the same
encoder, the same preset and the same PyAV. Rates count whole Matroska files, so that the attachment counts too.

PSNR of Y' and of R'G'B' are means over frames. VMAF and VMAF NEG are measured by the FFmpeg of PyPI's imageio-ffmpeg.
The Bjøntegaard delta rate says how many per cent more (+) or fewer (-) bytes the same quality takes, by Akima
interpolation (PyPI's `bjontegaard`). Encoding is timed as a whole command. Decoding is timed by its own report, without
compilation.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarking.arguments import new_parser, numbers, size, words
from benchmarking.cores import use_two_cores
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr
from benchmarking.streams import compare, ffmpeg, read_yuv, to_rgb

CRFS = {"h264": (22, 27, 32, 37), "hevc": (22, 27, 32, 37), "av1": (27, 36, 45, 54)}
ENCODERS = {"h264": ("libx264", "medium"), "hevc": ("libx265", "medium"), "av1": ("libsvtav1", "6")}
SCORES = ("psnr_y", "psnr_rgb", "vmaf", "vmaf_neg")


def main(arguments: list[str]) -> int:
    """Measures all scenes, codecs and crfs, prints the delta rates, and draws the curves; returns the exit status."""
    options = _arguments(arguments)
    use_two_cores()
    points = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for name, path in find_scenes(options.clips, options.scenes).items():
            source = Path(folder) / f"{name}.mkv"
            write_source(read_scene(path, options.frames, options.size), source)
            for codec in options.codecs:
                for crf in options.crfs or CRFS[codec]:
                    points += _measure(name, source, codec, crf, options, Path(folder))
                    _write_json(points, options)
    deltas = delta_rates(points)
    print(as_text(deltas, points))
    _write_json(points, options, deltas)
    if options.picture:
        draw(points, options.picture)
    return 0


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.prog = "benchmark.py compress"
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--codecs", type=words, default=list(CRFS), help=f"which codecs (default: {','.join(CRFS)})")
    parser.add_argument("--scenes", type=words, help="names of scenes (default: all)")
    parser.add_argument("--crfs", type=numbers, help=f"at least four crfs (default: {CRFS})")
    parser.add_argument("--frames", type=int, default=120, help="frames of a scene, at most (default: 120)")
    parser.add_argument(
        "--size", type=size, default=[640, 360], metavar="WxH", help="greatest width and height (default: 640x360)"
    )
    parser.add_argument("--adapt", default="fast", help="the option of compress (default: fast)")
    parser.add_argument("--weights", help="the option of compress (default: that of compress)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all points and delta rates to this file")
    parser.add_argument("--picture", type=Path, metavar="OUT.png", help="draw the curves to this file")
    return parser.parse_args(arguments)


def write_source(frames: np.ndarray, path: Path) -> None:
    """Writes frames as lossless 4:2:0, BT.709, 25 frames per second."""
    colours = ["-vf", "scale=out_color_matrix=bt709:flags=area+accurate_rnd,format=yuv420p", "-colorspace", "bt709"]
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", "25", "-i", "-"]
    ffmpeg([*raw, *colours, "-c:v", "ffv1", str(path)], frames.tobytes())


def _measure(scene: str, source: Path, codec: str, crf: float, options: argparse.Namespace, folder: Path) -> list[dict]:
    """The point of the plain codec and that of `compress`: bytes, quality and seconds."""
    preset = ENCODERS[codec][1]
    paths = {name: folder / f"{name}.mkv" for name in ("plain", "small", "large")}
    common = ["--quiet", "--report", str(folder / "report.json")]
    seconds = {"plain": encode_plainly(source, paths["plain"], codec, crf, preset)}
    begun = time.perf_counter()
    more = ["--adapt", options.adapt, *(["--weights", options.weights] if options.weights else [])]
    encoding = ["--codec", codec, "--crf", f"{crf:g}", "--preset", preset, *more]
    _infer("compress", str(source), "-o", str(paths["small"]), *encoding, *common)
    seconds["ours"] = time.perf_counter() - begun
    encoded = json.loads((folder / "report.json").read_text())
    _infer("decompress", str(paths["small"]), "-o", str(paths["large"]), "--codec", "ffv1", *common)
    decoding = json.loads((folder / "report.json").read_text())
    point = {"scene": scene, "codec": codec, "crf": crf}
    size = f"{encoded['track']['width']}x{encoded['track']['height']}"
    ours = {"size": size, "tasks": encoded["plan"]["tasks"], "decoded_per_second": decoding["frames_per_second"]}
    rows = []
    for method, coded, shown in (("plain", "plain", "plain"), ("ours", "small", "large")):
        size, figures = paths[coded].stat().st_size, quality(paths[shown], source)
        row = {**point, "method": method, "bytes": size, **figures, "encode_seconds": seconds[method]}
        rows.append(row | (ours if method == "ours" else {}))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def encode_plainly(source: Path, target: Path, codec: str, crf: float, preset: str) -> float:
    """Encodes with the plain codec by PyAV, into Matroska as `compress` does; returns the seconds that it took."""
    import av

    os.environ.setdefault("SVT_LOG", "0")
    options = {"crf": f"{crf:g}", "preset": preset}
    if codec == "hevc":
        options["x265-params"] = "log-level=none:info=0"  # without the list of its options, as `compress` does
    begun = time.perf_counter()
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        original = container.streams.video[0]
        stream = output.add_stream(ENCODERS[codec][0], rate=original.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = original.width, original.height, "yuv420p"
        stream.codec_context.thread_count = 0
        stream.codec_context.colorspace = 1
        for frame in container.decode(original):
            frame.pict_type = (
                av.video.frame.PictureType.NONE
            )  # FFV1's frames are all intra; the encoder would keep that
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return time.perf_counter() - begun


def quality(path: Path, source: Path) -> dict[str, float]:
    """Mean PSNR of Y' and of R'G'B' in dB, VMAF and VMAF NEG of a video against its source."""
    (luma, truth), pictures = (read_yuv(path), read_yuv(source)), (to_rgb(path), to_rgb(source))
    error = np.square(luma.astype(np.float64) - truth).mean(axis=(1, 2))
    return {
        "psnr_y": float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-6)))),
        "psnr_rgb": psnr(*pictures),
        **compare(path, source),
    }


def _infer(*arguments: str) -> None:
    command = [os.environ.get("VDIFF_JAX_PYTHON", "python"), "-m", "vdiff_jax.infer", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)}: {run.stderr.strip()[-500:]}")


def delta_rates(points: list[dict]) -> list[dict]:
    """The Bjøntegaard delta rate in per cent by each score, of every scene and codec that has at least four points."""
    from bjontegaard import bd_rate

    deltas = []
    for scene, codec in dict.fromkeys((point["scene"], point["codec"]) for point in points):
        mine = [point for point in points if (point["scene"], point["codec"]) == (scene, codec)]
        curves = {name: sorted((p for p in mine if p["method"] == name), key=_rate) for name in ("plain", "ours")}
        if len(curves["ours"]) >= 4:
            row = {"scene": scene, "codec": codec}
            for score in SCORES:
                columns = [[p[key] for p in curves[name]] for name in curves for key in ("bytes", score)]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # it warns where the curves overlap by less than 75 %
                    row[score] = float(bd_rate(*columns, method="akima"))
            deltas.append(row)
    return deltas


def _rate(point: dict) -> int:
    return point["bytes"]


def as_text(deltas: list[dict], points: list[dict]) -> str:
    """A Markdown table: a line for each codec and scene, their means, and the speeds."""
    lines = [f"| codec | scene | {' | '.join(SCORES)} |", "|---" * (2 + len(SCORES)) + "|"]
    for codec in dict.fromkeys(row["codec"] for row in deltas):
        rows = [row for row in deltas if row["codec"] == codec]
        rows.append({"scene": f"mean of {len(rows)}", **{s: float(np.mean([r[s] for r in rows])) for s in SCORES}})
        lines += [f"| {codec} | {r['scene']} | " + " | ".join(f"{r[s]:+.2f} %" for s in SCORES) + " |" for r in rows]
        mine = [point for point in points if point["codec"] == codec]
        encode = {m: np.mean([p["encode_seconds"] for p in mine if p["method"] == m]) for m in ("plain", "ours")}
        decode = np.mean([p["decoded_per_second"] for p in mine if p["method"] == "ours"])
        lines.append(
            f"| {codec} | seconds | encode {encode['ours']:.1f} (plain codec {encode['plain']:.1f}) per scene | "
            f"decode {decode:.1f} frames/s | | |"
        )
    return "\n".join(lines)


def draw(points: list[dict], path: Path) -> None:
    """Draws luma's PSNR and VMAF NEG against the bytes, a row of two panels for each codec and scene."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = list(dict.fromkeys((point["codec"], point["scene"]) for point in points))
    figure, axes = plt.subplots(len(panels), 2, figsize=(10, 3.2 * len(panels)), squeeze=False)
    for row, (codec, scene) in zip(axes, panels):
        for axis, score in zip(row, ("psnr_y", "vmaf_neg")):
            for method, style in (("plain", "o--"), ("ours", "s-")):
                curve = sorted(
                    (p for p in points if (p["codec"], p["scene"], p["method"]) == (codec, scene, method)), key=_rate
                )
                axis.plot([p["bytes"] / 1000 for p in curve], [p[score] for p in curve], style, label=method)
            axis.set(xscale="log", xlabel="kB", ylabel=score, title=f"{scene}, {codec}")
            axis.grid(alpha=0.3)
            axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _write_json(points: list[dict], options: argparse.Namespace, deltas: list[dict] | None = None) -> None:
    if options.json:
        options.json.write_text(json.dumps({"points": points, "delta_rates": deltas or []}, indent=1) + "\n")
