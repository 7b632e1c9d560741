"""The arguments of `vdiff`."""

import argparse
import os
from typing import NoReturn

import shtab

from vdiff_jax import __version__
from vdiff_jax.cli import values
from vdiff_jax.cli.output_options import (
    OUTPUT_HELP,
    add_encoder,
    add_json,
    add_overwriting,
    add_plan,
    add_replacing,
    add_report,
)
from vdiff_jax.cli.repair_options import add_repair

_FILES = ("input", "inputs", "output", "mask", "reference", "test", "report", "calibration", "html")
"""The arguments that a shell completes to the names of files."""


class OneLineParser(argparse.ArgumentParser):
    """A parser that names a mistake in one line, without the usage of all options."""

    def error(self, message: str) -> NoReturn:
        words = message.partition("unrecognized arguments: ")[2]
        file = next((word for word in words.split() if os.path.isfile(word)), None)
        instead = f"pass ./{file} if the file is meant" if file else f"{self.prog} --help lists the options"
        self.exit(2, f"error: {message}; {instead}\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands. The parsed arguments have the command's name in `command`."""
    parser = OneLineParser(prog="vdiff", description="Repairs, stitches and compresses video.")
    parser.add_argument("--version", action="version", version=f"vdiff_jax {__version__}", help="print the version")
    shtab.add_argument_to(
        parser,
        "--print-completion",
        help="print a script that completes vdiff's options in this shell. "
        'Bash and zsh load it by `eval "$(vdiff --print-completion zsh)"`. '
        "Fish loads it by `vdiff --print-completion fish | source`",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    add_repair(commands)
    _add_stitch(commands)
    _add_compress(commands)
    _add_decompress(commands)
    _add_choose(commands)
    _add_compare(commands)
    _add_export(commands)
    _add_serve(commands)
    for command in commands.choices.values():
        for action in command._actions:
            if action.dest in _FILES:
                action.complete = shtab.FILE  # pyright: ignore
    return parser


def _add_stitch(commands: argparse._SubParsersAction) -> None:
    stitch = commands.add_parser("stitch", help="join cameras into one panorama, or clips into one film")
    stitch.add_argument("inputs", nargs="+", metavar="IN", help="two or more videos or pictures")
    stitch.add_argument("-o", "--output", required=True, help=OUTPUT_HELP)
    stitch.add_argument(
        "--layout",
        default="auto",
        choices=("auto", "panorama", "sequence"),
        help="side by side, or one after another (default: auto: a panorama if the views overlap)",
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
    edge.add_argument(
        "--fill", action="store_true", help="fill pixels that no camera covers (default: leave them black)"
    )
    stitch.add_argument(
        "--steady", action="store_true", help="remove the shake of cameras that are carried together (default: off)"
    )
    stitch.add_argument(
        "--bridge",
        type=values.count,
        default=0,
        metavar="N",
        help="add N interpolated frames between two clips (default: 0)",
    )
    stitch.add_argument(
        "--weights",
        help="base, or a file: use this network for --fill and --bridge (default: diffusion and optical flow)",
    )
    add_encoder(stitch)
    add_overwriting(stitch)
    add_report(stitch)


def _add_compress(commands: argparse._SubParsersAction) -> None:
    compress = commands.add_parser(
        "compress", help="write a smaller file that players play as it is, and whose quality decompress raises"
    )
    compress.add_argument("input", help="a video, or a folder or glob of pictures")
    output = compress.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="the file to write, a .mkv or .mp4"
    )
    add_plan(compress, output)
    compress.add_argument("--codec", default="h264", help="h264, hevc or av1 (default: h264)")
    quality = compress.add_mutually_exclusive_group()
    quality.add_argument(
        "--crf",
        type=values.within(1, 63),
        help="the encoder's quality, lower is better (default: h264 23, hevc 28, av1 35)",
    )
    quality.add_argument("--bitrate", type=values.bits, help="bits per second, such as 500k or 2M (default: by --crf)")
    quality.add_argument(
        "--target-vmaf", type=float, metavar="V", help="the VMAF that decompress must reach, such as 93 (default: none)"
    )
    compress.add_argument("--preset", help="the encoder's speed preset (default: medium for h264 and hevc, 6 for av1)")
    compress.add_argument(
        "--adapt",
        default="fast",
        choices=("none", "fast", "best"),
        help="how long to search for a better file: none fits only the Wiener step; fast also tries the network and "
        "smaller pictures, within twice the plain encoder's time plus ten seconds; best tries them and fewer frames, "
        "whatever the time (default: fast)",
    )
    compress.add_argument("--weights", help="base, fast, or a file of weights (default: base)")
    add_overwriting(compress)
    add_report(compress)


def _add_decompress(commands: argparse._SubParsersAction) -> None:
    decompress = commands.add_parser("decompress", help="decode a file that compress wrote, in higher quality")
    decompress.add_argument("input", help="a file that compress wrote; any other video is decoded as it is")
    decompress.add_argument("-o", "--output", required=True, help=OUTPUT_HELP)
    decompress.add_argument(
        "--weights", help="the file of weights given to compress, if any (default: the package's weights)"
    )
    decompress.add_argument(
        "--quality",
        default="base",
        choices=("base", "best"),
        help="best runs the network forward and backward, which takes about twice as long (default: base)",
    )
    add_encoder(decompress)
    add_overwriting(decompress)
    add_report(decompress)


def _add_choose(commands: argparse._SubParsersAction) -> None:
    choose = commands.add_parser("choose", help="try algorithms on a video's frames and recommend one for this machine")
    choose.add_argument("input", help="a video, or a folder or glob of pictures")
    add_json(choose)
    add_report(choose)


def _add_compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="measure PSNR, SSIM and VMAF against a reference")
    compare.add_argument("reference", help="the original video")
    compare.add_argument("test", help="the video to measure")
    compare.add_argument(
        "--html", metavar="REPORT.html", help="write a page with the metrics and the worst frames (default: none)"
    )
    add_json(compare)
    add_report(compare)


def _add_export(commands: argparse._SubParsersAction) -> None:
    export = commands.add_parser("export", help="write the network as ONNX or StableHLO, for other runtimes")
    export.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write, such as base.onnx")
    export.add_argument("--weights", default="base", help="base, fast, or a file of weights (default: base)")
    export.add_argument(
        "--format",
        default="onnx",
        choices=("onnx", "stablehlo"),
        help="ONNX, or StableHLO for jax.export.deserialize (default: onnx)",
    )
    export.add_argument(
        "--size",
        type=values.size,
        metavar="WxH",
        help="the only frame size that the file takes, such as 640x360 (default: any multiple of 8)",
    )
    add_replacing(export)
    add_report(export)


def _add_serve(commands: argparse._SubParsersAction) -> None:
    serve = commands.add_parser("serve", help="repair, stitch, compress and compare on a page in the browser")
    serve.add_argument("--port", type=values.count, default=7860, help="the port to listen at (default: 7860)")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen at: 127.0.0.1 for this machine only; any other, such as 0.0.0.0 for all networks, "
        "needs --password (default: 127.0.0.1)",
    )
    serve.add_argument(
        "--password",
        default=os.environ.get("VDIFF_PASSWORD"),
        help="what a browser must enter (default: VDIFF_PASSWORD in the environment, or none)",
    )
    serve.add_argument(
        "--max-upload",
        dest="largest_upload",
        type=values.memory,
        default="4GB",
        metavar="SIZE",
        help="the largest file that may be uploaded, such as 500MB (default: 4GB)",
    )
    add_report(serve)
