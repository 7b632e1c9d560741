"""The arguments of `vdiff repair`."""

import argparse

from vdiff_jax import tasks
from vdiff_jax.cli import values
from vdiff_jax.cli.output_options import OUTPUT_HELP, add_encoder, add_overwriting, add_plan, add_report

AUDIO_CODECS = ("aac", "opus", "flac")
QUALITIES = {"fast": "fast", "base": "base", "best": "base"}
"""The weights for each `--quality`."""


def add_repair(commands: argparse._SubParsersAction) -> None:
    """Adds the command `repair`."""
    repair = commands.add_parser("repair", help="denoise, deblock, fill, enlarge, colorize or interpolate a video")
    repair.add_argument(
        "input",
        nargs="?",
        help="a video, a folder or glob of pictures or of videos, or - (YUV4MPEG2 on stdin); default: the sample clip",
    )
    _add_output(repair)
    repair.add_argument(
        "--task",
        default="auto",
        choices=("auto", *tasks.NAMES),
        help="what to do (default: auto, which measures what the video needs)",
    )
    repair.add_argument(
        "--mask",
        help="fill the white pixels of this mask: a picture, a video, or a folder with one picture for each frame; "
        "auto: find the damage of old film (default: fill nothing)",
    )
    repair.add_argument(
        "--grow",
        type=values.count,
        default=0,
        metavar="N",
        help="also fill N pixels around the mask, faded into the rest (default: 0)",
    )
    repair.add_argument(
        "--sigma",
        type=values.within(0, 255),
        help="the standard deviation of the noise, in 8-bit units (default: measured)",
    )
    _add_task_options(repair)
    _add_source_options(repair)
    network = repair.add_mutually_exclusive_group()
    network.add_argument(
        "--quality",
        default="base",
        choices=tuple(QUALITIES),
        help="fast takes 50 to 75 %% of base's time for most tasks; best, which runs forward and backward, takes about "
        "twice base's time (default: base)",
    )
    network.add_argument("--weights", help="base, fast, or a file of weights (default: by --quality)")
    add_encoder(repair)
    repair.add_argument(
        "--audio-codec",
        default="copy",
        choices=("copy", "none", *AUDIO_CODECS),
        help="copy the sound, drop it (none), or encode it again (default: copy)",
    )
    _add_backend(repair)
    _add_memory(repair)
    _add_cluster(repair)
    add_overwriting(repair)
    repair.add_argument(
        "--keep-going",
        action="store_true",
        help="for a batch that was stopped: skip finished videos and resume unfinished ones (default: start again)",
    )
    add_report(repair)


def _add_backend(repair: argparse.ArgumentParser) -> None:
    """Adds --backend."""
    repair.add_argument(
        "--backend",
        default="auto",
        choices=("auto", "jax", "onnx"),
        help="what runs the network: JAX, or ONNX Runtime on the processor (pip install 'vdiff_jax[onnx]') "
        "(default: auto: JAX for short videos; for long ones the faster of the two, measured once on this machine)",
    )


def _add_memory(repair: argparse.ArgumentParser) -> None:
    """Adds --memory."""
    repair.add_argument(
        "--memory",
        type=values.memory,
        metavar="SIZE",
        help="use at most about this much memory, such as 2GB: large frames go through the network in tiles, and the "
        "encoder looks at fewer frames at a time (default: the free memory, minus a margin)",
    )


def _add_cluster(repair: argparse.ArgumentParser) -> None:
    """Adds --cluster."""
    repair.add_argument(
        "--cluster",
        nargs="?",
        const="auto",
        type=values.cluster,
        metavar="ADDRESS",
        help="share a folder's videos, or a long video's shots, among the workers of a Ray cluster: auto (this "
        "machine, or the cluster it belongs to) or ray://HOST:PORT; IN and OUT may be buckets (default: off)",
    )


def _add_output(repair: argparse.ArgumentParser) -> None:
    """The options of `repair` that say what is written."""
    output = repair.add_argument("-o", "--output", required=True, help=OUTPUT_HELP)
    add_plan(repair, output)
    repair.add_argument(
        "--preview",
        type=values.seconds,
        metavar="SECONDS",
        help="repair only this many seconds, and write input and result side by side (default: off)",
    )
    repair.add_argument(
        "--strength",
        type=values.within(0, 1),
        default=1,
        metavar="S",
        help="mix the result with the input: 0 is the input, 1 the result (default: 1)",
    )


def _add_source_options(repair: argparse.ArgumentParser) -> None:
    """The options of `repair` that say what is read."""
    repair.add_argument("--deinterlace", action="store_true", help="deinterlace the video first (default: off)")
    repair.add_argument(
        "--double-rate",
        action="store_true",
        help="deinterlace to one picture for each field, at twice the frame rate (default: one picture for each frame)",
    )
    repair.add_argument(
        "--from",
        dest="start",
        type=values.seconds,
        metavar="TIME",
        help="where to start, in seconds or as HH:MM:SS (default: at the beginning)",
    )
    repair.add_argument(
        "--to",
        dest="stop",
        type=values.seconds,
        metavar="TIME",
        help="where to stop, in seconds or as HH:MM:SS (default: at the end)",
    )


def _add_task_options(repair: argparse.ArgumentParser) -> None:
    """The options of `repair` that belong to one task only."""
    repair.add_argument(
        "--fps", type=values.number, help="interpolate to this frame rate, such as 50 or 60000/1001 (default: none)"
    )
    repair.add_argument(
        "--slow",
        type=values.number,
        metavar="N",
        help="interpolate so that the video plays N times slower, without sound (default: none)",
    )
    repair.add_argument(
        "--scale", type=values.number, help="enlarge this many times, such as 2, 4 or 1.5 (default: none)"
    )
    repair.add_argument(
        "--size",
        type=values.size,
        metavar="WxH",
        help="enlarge to this size, such as 1920x1080 (default: none)",
    )
    repair.add_argument(
        "--reference",
        nargs="+",
        default=(),
        metavar="PICTURE",
        help="colorize from these coloured frames of the video; N:PICTURE is frame N (default for N: 0)",
    )
    repair.add_argument(
        "--force",
        action="store_true",
        help="colorize: skip the checks that references match and that the video is grey (default: check)",
    )
