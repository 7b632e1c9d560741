"""The arguments of `python -m vdiff_jax.infer`."""

import argparse
from fractions import Fraction
from pathlib import Path

from vdiff_jax import tasks

_OUTPUT_HELP = "a video file, a folder/ for PNGs, or - (YUV4MPEG2 on stdout)"


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands. The parsed arguments have the command's name in `command`."""
    parser = argparse.ArgumentParser(
        prog="python -m vdiff_jax.infer", description="Repairs, stitches and compresses video."
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    _add_repair(commands)
    _add_stitch(commands)
    _add_compress(commands)
    _add_decompress(commands)
    _add_choose(commands)
    _add_compare(commands)
    return parser


def _add_repair(commands: argparse._SubParsersAction) -> None:
    repair = commands.add_parser("repair", help="denoise, deblock, fill, enlarge, colorize or interpolate a video")
    repair.add_argument(
        "input",
        nargs="?",
        help="a video, a folder or glob of pictures or of videos, or - (YUV4MPEG2 on stdin); default: the sample clip",
    )
    repair.add_argument("-o", "--output", required=True, help=_OUTPUT_HELP)
    repair.add_argument(
        "--task",
        default="auto",
        choices=("auto", *tasks.NAMES),
        help="what to do (default: auto, as the video needs)",
    )
    repair.add_argument(
        "--mask",
        help="fill where this is white: a picture, a video, or a folder with one picture a frame; "
        "auto finds the damage of old film (default: fill nothing)",
    )
    repair.add_argument(
        "--grow", type=int, default=0, metavar="N", help="also fill N pixels around the mask, fading out (default: 0)"
    )
    repair.add_argument(
        "--sigma", type=float, help="the standard deviation of the noise, in 8-bit units (default: measured)"
    )
    _add_task_options(repair)
    repair.add_argument("--deinterlace", action="store_true", help="deinterlace the video first (default: off)")
    repair.add_argument("--weights", default="base", help="base, fast, or a file of weights (default: base)")
    repair.add_argument(
        "--from", dest="start", type=float, metavar="SECONDS", help="where to start (default: at the beginning)"
    )
    repair.add_argument("--to", dest="stop", type=float, metavar="SECONDS", help="where to stop (default: at the end)")
    _add_encoder(repair)
    _add_report(repair)


def _add_task_options(repair: argparse.ArgumentParser) -> None:
    """The options of `repair` that belong to one task only."""
    repair.add_argument(
        "--fps", type=_number, help="interpolate: the new frame rate, such as 50 or 60000/1001 (default: none)"
    )
    repair.add_argument(
        "--slow", type=_number, metavar="N", help="interpolate: play N times slower, without sound (default: none)"
    )
    repair.add_argument(
        "--scale", type=_number, help="superres: how many times larger, such as 2, 4 or 1.5 (default: none)"
    )
    repair.add_argument(
        "--size", type=_size, metavar="WxH", help="superres: the new size instead, such as 1920x1080 (default: none)"
    )
    repair.add_argument(
        "--reference",
        nargs="+",
        default=(),
        metavar="PICTURE",
        help="colorize: coloured frames of the video; N:PICTURE is frame N (default for N: 0)",
    )
    repair.add_argument(
        "--force",
        action="store_true",
        help="colorize: skip the checks that references match and that the video is grey (default: check)",
    )


def _add_stitch(commands: argparse._SubParsersAction) -> None:
    stitch = commands.add_parser("stitch", help="join cameras to one panorama, or clips to one film")
    stitch.add_argument("inputs", nargs="+", metavar="IN", help="two or more videos or pictures")
    stitch.add_argument("-o", "--output", required=True, help=_OUTPUT_HELP)
    stitch.add_argument(
        "--layout",
        default="auto",
        choices=("auto", "panorama", "sequence"),
        help="side by side, or one after another (default: auto, as the inputs overlap)",
    )
    stitch.add_argument(
        "--calibration",
        metavar="FILE",
        help="the rig's geometry, offsets and gains: read if the file exists, else written (default: none)",
    )
    stitch.add_argument(
        "--projection",
        default="auto",
        choices=("auto", "planar", "cylindrical"),
        help="the panorama's projection (default: auto, by the field of view)",
    )
    edge = stitch.add_mutually_exclusive_group()
    edge.add_argument(
        "--crop", action="store_true", help="crop to the largest rectangle that cameras always cover (default: off)"
    )
    edge.add_argument("--fill", action="store_true", help="fill what no camera covers (default: leave it black)")
    stitch.add_argument(
        "--steady", action="store_true", help="stabilise cameras that are carried together (default: off)"
    )
    stitch.add_argument(
        "--bridge", type=int, default=0, metavar="N", help="interpolate N frames between two clips (default: 0)"
    )
    stitch.add_argument(
        "--weights",
        help="base, or a file: use this network for --fill and --bridge (default: diffusion and optical flow)",
    )
    _add_encoder(stitch)
    _add_report(stitch)


def _add_compress(commands: argparse._SubParsersAction) -> None:
    compress = commands.add_parser(
        "compress", help="write a file that every player plays and decompress restores to higher quality"
    )
    compress.add_argument("input", help="a video, or a folder or glob of pictures")
    compress.add_argument("-o", "--output", required=True, metavar="OUT.mkv", help="the file to write, a .mkv")
    compress.add_argument("--codec", default="h264", help="h264, hevc or av1 (default: h264)")
    quality = compress.add_mutually_exclusive_group()
    quality.add_argument(
        "--crf", type=float, help="the encoder's quality, lower is better (default: h264 23, hevc 28, av1 35)"
    )
    quality.add_argument("--bitrate", type=_bits, help="bits per second, such as 500k or 2M (default: by --crf)")
    quality.add_argument(
        "--target-vmaf", type=float, metavar="V", help="the VMAF that decompress must reach, such as 93 (default: none)"
    )
    compress.add_argument("--preset", help="the encoder's speed preset (default: medium for h264 and hevc, 6 for av1)")
    compress.add_argument(
        "--adapt",
        default="fast",
        choices=("none", "fast", "best"),
        help="how long the network is fitted to this video (default: fast)",
    )
    compress.add_argument("--weights", help="base, fast, or a file of weights (default: fast)")
    _add_report(compress)


def _add_decompress(commands: argparse._SubParsersAction) -> None:
    decompress = commands.add_parser("decompress", help="decode a compressed file to higher quality")
    decompress.add_argument("input", help="a file that compress wrote; any other video is decoded as it is")
    decompress.add_argument("-o", "--output", required=True, help=_OUTPUT_HELP)
    decompress.add_argument(
        "--weights", help="the file of weights given to compress, if any (default: the package's weights)"
    )
    _add_encoder(decompress)
    _add_report(decompress)


def _add_choose(commands: argparse._SubParsersAction) -> None:
    choose = commands.add_parser("choose", help="find out which algorithm repairs a video best on this machine")
    choose.add_argument("input", help="a video, or a folder or glob of pictures")
    _add_json(choose)
    _add_report(choose)


def _add_compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="measure PSNR, SSIM and VMAF against a reference")
    compare.add_argument("reference", help="the original video")
    compare.add_argument("test", help="the video to measure")
    compare.add_argument(
        "--html", metavar="REPORT.html", help="write a page with the metrics and the worst frames (default: none)"
    )
    _add_json(compare)
    _add_report(compare)


def _add_encoder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--codec",
        help="FFmpeg's name of an encoder, such as ffv1 (default: libx264; .webm libvpx-vp9, libsvtav1 above 8 bits)",
    )
    command.add_argument(
        "--crf", type=int, help="the encoder's quality, lower is better (default: 15 for libx264, 18 for most others)"
    )
    command.add_argument(
        "--preset",
        help="the encoder's speed preset (default: veryfast for libx264, medium for libx265, 8 for libsvtav1)",
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the report as JSON (default: as text)")


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--report",
        type=Path,
        metavar="OUT.json",
        help="write what was done, what was measured and how long it took (default: none)",
    )
    command.add_argument("--quiet", action="store_true", help="print errors only (default: warnings and progress too)")
    command.add_argument(
        "--debug",
        action="store_true",
        help="print all log lines and tracebacks; stitch also writes pictures to OUT.stages/ (default: off)",
    )


def _number(text: str) -> Fraction:
    """Parses a number or a fraction."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text} is not a number: use one such as 2, 1.5 or 60000/1001") from error


def _bits(text: str) -> float:
    """Parses bits per second."""
    unit = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 1)
    try:
        return float(text if unit == 1 else text[:-1]) * unit
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a bitrate: use one such as 500k or 2M") from error


def _size(text: str) -> tuple[int, int]:
    """Parses width and height."""
    width, by, height = text.partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not a size: use one such as 1920x1080")
    return int(width), int(height)
