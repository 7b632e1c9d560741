"""Options that several commands share: the encoder, files that exist, the report."""

import argparse
from pathlib import Path

from vdiff_jax.cli import values

OUTPUT_HELP = "a video file, a folder/ for PNGs, or - (YUV4MPEG2 on stdout)"


def add_encoder(command: argparse.ArgumentParser) -> None:
    """Adds the options of the output's encoder."""
    command.add_argument(
        "--codec",
        help="h264, hevc, av1, vp9, or FFmpeg's name of an encoder, such as ffv1 "
        "(default: libx264; .webm libvpx-vp9, libsvtav1 above 8 bits)",
    )
    command.add_argument(
        "--hardware",
        action="store_true",
        help="encode on the graphics chip, where it has an encoder for this codec (default: on the processor)",
    )
    command.add_argument(
        "--crf",
        type=values.within(0, 63),
        help="the encoder's quality, lower is better (default: 15 for libx264, 18 for most others)",
    )
    command.add_argument(
        "--preset",
        help="the encoder's speed preset (default: veryfast for libx264, medium for libx265, 8 for libsvtav1)",
    )


def add_overwriting(command: argparse.ArgumentParser) -> None:
    """Adds -y, -n and --resume, which say what happens to files that exist."""
    add_replacing(command)
    command.add_argument(
        "--resume",
        action="store_true",
        help="repeat the command that was stopped: goes on from the work kept in OUT.resume (default: start again)",
    )


def add_replacing(command: argparse.ArgumentParser) -> None:
    """Adds -y and -n."""
    group = command.add_mutually_exclusive_group()
    group.add_argument(
        "-y",
        "--overwrite",
        action="store_true",
        help="replace files that exist without asking (default: ask, if there is a terminal)",
    )
    group.add_argument(
        "-n",
        "--keep",
        action="store_true",
        help="leave files that exist as they are; a batch skips them (default: ask, if there is a terminal)",
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """Adds --json."""
    command.add_argument("--json", action="store_true", help="print the report as JSON (default: as text)")


def add_report(command: argparse.ArgumentParser) -> None:
    """Adds --report, --quiet and --debug."""
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
