"""Rate-distortion curves of compress and decompress against the plain codec, and their Bjøntegaard delta rates.

    python scripts/benchmark.py compress CLIPS --json OUT.json --picture OUT.png
    python scripts/benchmark.py compress CLIPS --codecs h264 --scenes davis_camel --frames 40 --adapt none

Every scene is a video or a folder of pictures in CLIPS, reduced by area to fit --size, its first --frames frames,
stored once as 4:2:0 without loss. At each of four crfs it is encoded by the plain codec (the same encoder through the
same PyAV, preset medium, medium or 6) and by `compress`, which is given the same crf and preset. Rates are those of
whole files, so that the attachment counts; the plain file comes from the same muxer.

PSNR of Y', and of R'G'B', are means over frames; VMAF and VMAF NEG are libvmaf's, of the static FFmpeg of PyPI's
imageio-ffmpeg. The Bjøntegaard delta rate is that of PyPI's `bjontegaard`, by Akima interpolation: how much less (-) or
more rate the same quality takes. Seconds are of whole commands for `compress`, and of the report, without compilation,
for `decompress`.
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

from benchmarking.arguments import size
from benchmarking.cores import use_two_cores
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr
from benchmarking.streams import compare, ffmpeg, read_yuv, to_rgb

CRFS = {"h264": (22, 27, 32, 37), "hevc": (22, 27, 32, 37), "av1": (27, 36, 45, 54)}
ENCODERS = {"h264": ("libx264", "medium"), "hevc": ("libx265", "medium"), "av1": ("libsvtav1", "6")}
SCORES = ("psnr_y", "psnr_rgb", "vmaf", "vmaf_neg")


def main(arguments: list[str]) -> int:
    """Measures what the arguments ask for, prints it, and draws the curves."""
    options = _arguments(arguments)
    use_two_cores()
    points = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        found = find_scenes(options.clips)
        for name in options.scenes or list(found):
            source = Path(folder) / f"{name}.mkv"
            _store(read_scene(found[name], options.frames, options.size), source)
            for codec in options.codecs:
                for crf in options.crfs or CRFS[codec]:
                    points += _measure(name, source, codec, crf, options, Path(folder))
                    _keep(points, options)
    deltas = delta_rates(points)
    print(as_text(deltas, points))
    _keep(points, options, deltas)
    if options.picture:
        draw(points, options.picture)
    return 0


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmark.py compress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = {"type": lambda text: text.split(",")}
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--codecs", **words, default=list(CRFS), help=f"some of {','.join(CRFS)}")
    parser.add_argument("--scenes", **words, help="some of the scenes, by name")
    numbers = {"type": lambda text: [int(n) for n in text.split(",")]}
    parser.add_argument("--crfs", **numbers, help=f"other qualities than {CRFS}, four at least")
    parser.add_argument("--frames", type=int, default=120, help="frames a scene, at most (120)")
    parser.add_argument(
        "--size", type=size, default=[640, 360], metavar="WxH", help="greatest width and height (default: 640x360)"
    )
    parser.add_argument("--adapt", default="fast", help="as compress takes it")
    parser.add_argument("--weights", help="as compress takes them")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all figures here")
    parser.add_argument("--picture", type=Path, metavar="OUT.png", help="draw the curves here")
    return parser.parse_args(arguments)


def _store(frames: np.ndarray, path: Path) -> None:
    """4:2:0 without loss, BT.709, 25 frames a second."""
    colours = ["-vf", "scale=out_color_matrix=bt709:flags=area+accurate_rnd,format=yuv420p", "-colorspace", "bt709"]
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", "25", "-i", "-"]
    ffmpeg([*raw, *colours, "-c:v", "ffv1", str(path)], frames.tobytes())


def _measure(scene: str, source: Path, codec: str, crf: int, options: argparse.Namespace, folder: Path) -> list[dict]:
    """The plain codec's point and that of `compress`."""
    preset = ENCODERS[codec][1]
    paths = {name: folder / f"{name}.mkv" for name in ("plain", "small", "large")}
    common = ["--quiet", "--report", str(folder / "report.json")]
    seconds = {"plain": _plain(source, paths["plain"], codec, crf, preset)}
    begun = time.perf_counter()
    more = ["--adapt", options.adapt, *(["--weights", options.weights] if options.weights else [])]
    encoding = ["--codec", codec, "--crf", str(crf), "--preset", preset, *more]
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


def _plain(source: Path, target: Path, codec: str, crf: int, preset: str) -> float:
    """Encodes by the plain codec, through PyAV and its Matroska muxer alone; the seconds it took."""
    import av

    os.environ.setdefault("SVT_LOG", "0")
    options = {"crf": str(crf), "preset": preset}
    if codec == "hevc":
        options["x265-params"] = "log-level=none"
    begun = time.perf_counter()
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        original = container.streams.video[0]
        stream = output.add_stream(ENCODERS[codec][0], rate=original.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = original.width, original.height, "yuv420p"
        stream.codec_context.thread_count = 0
        stream.codec_context.colorspace = 1
        for frame in container.decode(original):
            frame.pict_type = av.video.frame.PictureType.NONE  # all of FFV1's are intra, which the encoder would keep
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return time.perf_counter() - begun


def quality(path: Path, source: Path) -> dict[str, float]:
    """Mean PSNR of Y' and of R'G'B', VMAF and VMAF NEG."""
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
    """The Bjøntegaard delta rate in per cent of each scene and codec that has all its points, by each score."""
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
                    warnings.simplefilter("ignore")  # of overlaps under 75 %
                    row[score] = float(bd_rate(*columns, method="akima"))
            deltas.append(row)
    return deltas


def _rate(point: dict) -> int:
    return point["bytes"]


def as_text(deltas: list[dict], points: list[dict]) -> str:
    """Markdown: a line a scene and codec, their means, and the speeds."""
    lines = [f"| codec | scene | {' | '.join(SCORES)} |", "|---" * (2 + len(SCORES)) + "|"]
    for codec in dict.fromkeys(row["codec"] for row in deltas):
        rows = [row for row in deltas if row["codec"] == codec]
        rows.append({"scene": f"mean of {len(rows)}", **{s: float(np.mean([r[s] for r in rows])) for s in SCORES}})
        lines += [f"| {codec} | {r['scene']} | " + " | ".join(f"{r[s]:+.2f} %" for s in SCORES) + " |" for r in rows]
        mine = [point for point in points if point["codec"] == codec]
        encode = {m: np.mean([p["encode_seconds"] for p in mine if p["method"] == m]) for m in ("plain", "ours")}
        decode = np.mean([p["decoded_per_second"] for p in mine if p["method"] == "ours"])
        lines.append(
            f"| {codec} | seconds | encode {encode['ours']:.1f} (plain {encode['plain']:.1f}) a scene | "
            f"decode {decode:.1f} frames a second | | |"
        )
    return "\n".join(lines)


def draw(points: list[dict], path: Path) -> None:
    """Luma's PSNR and VMAF NEG over the rate, a panel for each scene and codec."""
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


def _keep(points: list[dict], options: argparse.Namespace, deltas: list[dict] | None = None) -> None:
    if options.json:
        options.json.write_text(json.dumps({"points": points, "delta_rates": deltas or []}, indent=1) + "\n")
