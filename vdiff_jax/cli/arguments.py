"""The arguments of `python -m vdiff_jax.infer`."""

import argparse
from fractions import Fraction
from pathlib import Path

from vdiff_jax import tasks


def parser() -> argparse.ArgumentParser:
    """Reads them; `command` is the name of the one that is asked for."""
    made = argparse.ArgumentParser(
        prog="python -m vdiff_jax.infer", description="Repairs, stitches and compresses video."
    )
    commands = made.add_subparsers(required=True, dest="command", metavar="COMMAND")
    repair = commands.add_parser("repair", help="denoise, deblock, fill, enlarge, colour: make a video look as it did")
    repair.add_argument("input", nargs="?", help="a video, pictures, a folder of videos, or - ; the sample if left out")
    repair.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    repair.add_argument("--task", default="auto", choices=("auto", *tasks.NAMES))
    repair.add_argument(
        "--mask", help="what to fill is white: a picture, a video, a folder with one a frame; auto: old film's damage"
    )
    repair.add_argument(
        "--grow",
        type=int,
        default=0,
        metavar="N",
        help="fill N pixels around the mask too, fading out: for tight masks",
    )
    repair.add_argument("--sigma", type=float, help="the noise's standard deviation, 8-bit units; measured if left out")
    repair.add_argument("--fps", type=_number, help="interpolate to this rate, such as 50 or 60000/1001")
    repair.add_argument("--slow", type=_number, metavar="N", help="interpolate to play N times slower, without sound")
    repair.add_argument("--scale", type=_number, help="superres: how many times larger, such as 2, 4 or 1.5")
    repair.add_argument("--size", type=_size, metavar="WxH", help="superres: to this size instead, such as 1920x1080")
    repair.add_argument(
        "--reference",
        nargs="+",
        default=(),
        metavar="PICTURE",
        help="colorize: coloured frames, N:PICTURE for frame N",
    )
    repair.add_argument("--force", action="store_true", help="colorize: references and a coloured video are meant")
    repair.add_argument("--deinterlace", action="store_true", help="make whole pictures of interlaced lines first")
    repair.add_argument("--weights", default="base", help="base, fast, or a file")
    repair.add_argument("--from", dest="start", type=float, metavar="SECONDS", help="begin here")
    repair.add_argument("--to", dest="stop", type=float, metavar="SECONDS", help="end here")
    _add_common(repair)
    stitch = commands.add_parser("stitch", help="several cameras to one panorama, several clips to one film")
    stitch.add_argument("inputs", nargs="+", metavar="IN", help="videos or pictures, two or more")
    stitch.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    stitch.add_argument("--layout", default="auto", choices=("auto", "panorama", "sequence"))
    stitch.add_argument("--calibration", metavar="FILE", help="keeps a rig's geometry: read if there, else written")
    stitch.add_argument("--projection", default="auto", choices=("auto", "planar", "cylindrical"))
    edge = stitch.add_mutually_exclusive_group()
    edge.add_argument("--crop", action="store_true", help="cut to the largest rectangle that is always seen")
    edge.add_argument("--fill", action="store_true", help="fill what no camera saw")
    stitch.add_argument("--steady", action="store_true", help="take the shake out of cameras that are carried together")
    stitch.add_argument("--bridge", type=int, default=0, metavar="N", help="frames put between two clips")
    stitch.add_argument("--weights", help="base, or a file: its network makes --fill and --bridge instead")
    _add_common(stitch)
    _add_compress(commands)
    _add_judging(commands)
    return made


def _add_compress(commands) -> None:
    compress = commands.add_parser("compress", help="a file that every player plays, and that decompresses to more")
    compress.add_argument("input", help="a video, or pictures")
    compress.add_argument("-o", "--output", required=True, metavar="OUT.mkv")
    compress.add_argument("--codec", default="h264", help="h264, hevc or av1")
    quality = compress.add_mutually_exclusive_group()
    quality.add_argument("--crf", type=float, help="the encoder's quality")
    quality.add_argument("--bitrate", type=_bits, help="bits a second, such as 500k or 2M")
    quality.add_argument(
        "--target-vmaf", type=float, metavar="V", help="the least VMAF of what decompress gives, such as 93"
    )
    compress.add_argument("--preset", help="the encoder's preset: medium, medium, 6 by default")
    compress.add_argument(
        "--adapt", default="fast", choices=("none", "fast", "best"), help="fit the network to this video"
    )
    compress.add_argument("--weights", help="base, fast, or a file")
    _add_report(compress)
    decompress = commands.add_parser("decompress", help="the video of a compressed file")
    decompress.add_argument("input", help="a file that compress wrote; any other video is decoded as it is")
    decompress.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    decompress.add_argument("--weights", help="the file it was compressed with, if it isn't in the package")
    _add_common(decompress)


def _add_judging(commands) -> None:
    choose = commands.add_parser("choose", help="which algorithm fits a video and this machine, tried out on a part")
    choose.add_argument("input", help="a video, or pictures")
    compare = commands.add_parser("compare", help="how near a video is to what it should be: PSNR, SSIM, VMAF")
    compare.add_argument("reference", help="what it should be")
    compare.add_argument("test", help="the video to judge")
    compare.add_argument("--html", metavar="REPORT.html", help="a page with their course and the worst frames")
    for command in (choose, compare):
        command.add_argument("--json", action="store_true", help="print all of it as JSON")
        _add_report(command)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--codec", help="an encoder's name, such as libx264, ffv1")
    command.add_argument("--crf", type=int, help="the encoder's quality")
    command.add_argument("--preset", help="the encoder's preset")
    _add_report(command)


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("--report", type=Path, metavar="OUT.json", help="what was done, measured, how long it took")
    command.add_argument("--quiet", action="store_true", help="errors only")
    command.add_argument("--debug", action="store_true", help="everything, the whole traceback; stitch: OUT.stages/")


def _number(text: str) -> Fraction:
    """A number on the command line, perhaps a fraction."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no number") from error


def _bits(text: str) -> float:
    """Bits a second on the command line."""
    unit = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 1)
    try:
        return float(text if unit == 1 else text[:-1]) * unit
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no bitrate such as 500k or 2M") from error


def _size(text: str) -> tuple[int, int]:
    """Width and height on the command line."""
    width, by, height = text.partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is no size such as 1920x1080")
    return int(width), int(height)
