"""Bjøntegaard delta rates of `compress` at the source's size, measured in one process, so that a busy machine will do.

    python scripts/compression_rates.py CLIPS OUT.jsonl [--scenes A,B] [--codecs h264] [--frames 60] [--picture OUT.png]

Each scene is encoded by the plain codec at its defaults, and as `compress` encodes it. The Wiener step and the network
are fitted to as many samples as `compress` has time for in a short video. `decompress` then gives the frames, once by
default and once as with `--quality best`. Smaller pictures and half rate are not tried, and no time is measured: for
both there is `benchmark.py compress`. PSNR of Y', VMAF and VMAF NEG are means over frames; FFmpeg of PyPI's
imageio-ffmpeg measures VMAF. Each point is a line of OUT.jsonl; points that it holds already are not measured again. A
delta rate needs two points; the curves are interpolated by monotone cubics.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from benchmarking.arguments import new_parser, numbers, words
from benchmarking.compression import CRFS, ENCODERS, draw, encode_plainly, write_source
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.streams import compare, read_yuv

from vdiff_jax import media
from vdiff_jax.compression.attachment_choice import AttachmentChoice, choose_attachment
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.codec import check_source
from vdiff_jax.compression.decoder import decompress
from vdiff_jax.compression.settings import make_settings
from vdiff_jax.compression.source import open_source
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.runtime.stopwatch import Stopwatch

SCORES = ("psnr_y", "vmaf", "vmaf_neg")
METHODS = ("ours", "best")
"""`decompress` by default, and with `--quality best`."""


def main() -> None:
    """Measures the points that are missing, and prints the delta rates."""
    options = _arguments()
    points = [json.loads(line) for line in options.points.read_text().splitlines()] if options.points.exists() else []
    done = {(point["scene"], point["codec"], point["crf"]) for point in points if point["method"] == "ours"}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in find_scenes(options.clips, options.scenes).items():
            source = Path(folder) / f"{name}.mkv"
            write_source(read_scene(path, options.frames, [640, 360]), source)
            for codec in options.codecs:
                for crf in options.crfs or CRFS[codec]:
                    if (name, codec, crf) not in done:
                        points += measured(name, source, codec, crf, options)
    print(as_text(points))
    if options.picture:
        draw(points, options.picture)


def _arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("points", type=Path, metavar="OUT.jsonl", help="the file of measured points")
    parser.add_argument("--scenes", type=words, help="names of scenes (default: all)")
    parser.add_argument("--codecs", type=words, default=list(CRFS), help=f"which codecs (default: {','.join(CRFS)})")
    parser.add_argument("--crfs", type=numbers, help=f"at least two crfs (default: {CRFS})")
    parser.add_argument("--frames", type=int, default=60, help="frames of each scene, at most (default: 60)")
    parser.add_argument(
        "--only-default", action="store_true", help="leave out decompress --quality best (default: off)"
    )
    parser.add_argument("--picture", type=Path, metavar="OUT.png", help="draw the curves to this file")
    return parser.parse_args()


def measured(scene: str, source: Path, codec: str, crf: float, options: argparse.Namespace) -> list[dict]:
    """The points of the plain codec and of `compress` with both ways to decode; they are appended to a file too."""
    shared, folder = {"scene": scene, "codec": codec, "crf": crf}, source.parent
    plain, small = folder / "plain.mkv", folder / "small.mkv"
    encode_plainly(source, plain, codec, crf, ENCODERS[codec][1])
    rows = [{**shared, "method": "plain", "bytes": plain.stat().st_size, **quality(plain, source)}]
    choice = _compress(source, small, codec, crf)
    size = {"bytes": small.stat().st_size, "attachment": len(choice.packed or b"")}
    made = {"tasks": choice.attachment.tasks, "gain": float(choice.fit.gain[0])}
    for method in ("ours",) if options.only_default else METHODS:
        shown = folder / f"{method}.mkv"
        decompress(small, shown, both_directions=method == "best", codec="ffv1")
        rows.append({**shared, "method": method, **size, **made, **quality(shown, source)})
    with options.points.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return rows


class _ShortVideo(Budget):
    """The time that trials have in a video that the plain encoder encodes within a second or two."""

    @property
    def seconds_left(self) -> float:
        """Always the same, however busy the machine is."""
        return 9.0


def _compress(source: Path, small: Path, codec: str, crf: float) -> AttachmentChoice:
    """Writes the file that `compress` writes without smaller pictures and half rate; returns its attachment."""
    settings = make_settings(
        codec=codec, preset=None, crf=crf, bitrate=None, target_vmaf=None, adapt="fast", weights=None
    )
    opened = open_source(str(source), 25)
    coded = check_source(opened.info, settings.codec, None, "matroska")
    with tempfile.TemporaryDirectory(dir=small.parent) as folder:
        encoder = TrackEncoder(opened, coded, settings, Path(folder), Stopwatch())
        track = encoder.track()
        choice = choose_attachment(encoder, track, _ShortVideo(settings.adapt, Stopwatch()))
        media.remux(track.path, small, choice.packed, opened.info, copy_from=source)
    return choice


def quality(path: Path, source: Path) -> dict[str, float]:
    """Mean PSNR of Y' in dB, VMAF and VMAF NEG of a video against its source."""
    error = np.square(read_yuv(path).astype(np.float64) - read_yuv(source)).mean(axis=(1, 2))
    return {"psnr_y": float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-6)))), **compare(path, source)}


def as_text(points: list[dict]) -> str:
    """A Markdown table: a line for each codec and scene, and the means."""
    lines = [f"| codec | scene | {' | '.join(SCORES)} |", "|---" * (2 + len(SCORES)) + "|"]
    for codec in dict.fromkeys(point["codec"] for point in points):
        for method in METHODS:
            rows, chosen = {}, [point for point in points if (point["codec"], point["method"]) == (codec, method)]
            for scene in dict.fromkeys(point["scene"] for point in chosen):
                mine = [point for point in points if (point["scene"], point["codec"]) == (scene, codec)]
                rows[scene] = [delta_rate(mine, score, method) for score in SCORES]
            if not rows:
                continue
            rows[f"mean of {len(rows)}"] = np.mean(list(rows.values()), axis=0)
            label = f"{codec}, --quality best" if method == "best" else codec
            lines += [f"| {label} | {name} | {' | '.join(f'{x:+.1f} %' for x in row)} |" for name, row in rows.items()]
    return "\n".join(lines)


def delta_rate(points: list[dict], score: str, method: str) -> float:
    """The Bjøntegaard delta rate of a way to decode `compress`'s files against the plain codec in per cent."""
    from bjontegaard import bd_rate

    curves = {name: sorted((p for p in points if p["method"] == name), key=_bytes) for name in ("plain", method)}
    columns = [[point[key] for point in curves[name]] for name in curves for key in ("bytes", score)]
    return float(bd_rate(*columns, method="pchip", min_overlap=0))


def _bytes(point: dict) -> int:
    return point["bytes"]


if __name__ == "__main__":
    main()
