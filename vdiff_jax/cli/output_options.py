"""Options that several commands share: the encoder, files that exist, the report."""

import argparse
import logging
from pathlib import Path
from typing import Any

from vdiff_jax.cli import values
from vdiff_jax.errors import OptionError

log = logging.getLogger(__name__)

OUTPUT_HELP = "a video file, a folder/ for PNGs, or - (YUV4MPEG2 on stdout)"


def add_encoder(command: argparse.ArgumentParser) -> None:
    """Adds the options of the output's encoder."""
    command.add_argument(
        "--codec",
        help="h264, hevc, av1, vp9, or FFmpeg's name of an encoder, such as ffv1 "
        "(default: libx264; for .webm libvpx-vp9, or libsvtav1 above 8 bits)",
    )
    command.add_argument(
        "--hardware",
        action="store_true",
        help="encode on the graphics chip, where it has an encoder for this codec (default: on the processor)",
    )
    command.add_argument(
        "--crf",
        type=values.within(0, 63),
        help="the encoder's quality, lower is better "
        "(default: 10 for libx264, 14 for libx265, 8 for libsvtav1 and libvpx-vp9; repair goes "
        "down to 1 where it leaves little error, as after weak noise)",
    )
    command.add_argument(
        "--preset",
        help="the encoder's speed preset (default: veryfast for libx264, medium for libx265, 8 for libsvtav1)",
    )


class _Plan(argparse.Action):
    """A flag with which -o may be left out."""

    def __init__(self, *names: Any, output: argparse.Action, **settings: Any):
        super().__init__(*names, nargs=0, **settings)
        self._output = output

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        self._output.required = False
        setattr(namespace, self.dest, True)


def add_plan(command: argparse.ArgumentParser, output: argparse.Action) -> None:
    """Adds --plan, with which the option `output` may be left out."""
    command.add_argument(
        "--plan",
        action=_Plan,
        output=output,
        default=False,
        help="print what would be done and why, and estimates of the time and of OUT's size; write nothing, "
        "so -o may be left out (default: off)",
    )


def add_overwriting(command: argparse.ArgumentParser) -> None:
    """Adds -y, -n and --resume, which say what happens to files that exist."""
    add_replacing(command)
    command.add_argument(
        "--resume",
        action="store_true",
        help="continue a stopped run of the same command from the parts in OUT.resume (default: start again)",
    )


def add_replacing(command: argparse.ArgumentParser) -> None:
    """Adds -y and -n."""
    group = command.add_mutually_exclusive_group()
    group.add_argument(
        "-y",
        "--overwrite",
        action="store_true",
        help="replace files that exist without asking (default: ask on a terminal; without one, replace)",
    )
    group.add_argument(
        "-n",
        "--keep",
        action="store_true",
        help="do not replace files that exist; a batch skips them (default: ask on a terminal; without one, replace)",
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
        help="write a report as JSON: what was done and measured, how long it took, warnings (default: none)",
    )
    command.add_argument("--quiet", action="store_true", help="print errors only (default: warnings and progress too)")
    command.add_argument(
        "--debug",
        action="store_true",
        help="print all log lines and tracebacks; stitch also writes its stages to OUT.stages/ (default: off)",
    )


def encoder_options(options: argparse.Namespace, *targets: Path) -> dict[str, str] | None:
    """The options to pass to the encoder; None if none were given. Checks them, and finds the encoder of --hardware.

    Args:
      options: of the command line.
      targets: the files that are written; none for the output itself.
    """
    from vdiff_jax import media

    if options.hardware:
        codec = options.codec or "h264"
        if codec not in media.HARDWARE:
            raise OptionError(f"--hardware takes --codec {', '.join(media.HARDWARE)}, not {codec}")
        options.codec = media.hardware_encoder(codec)
        if options.codec is None:
            log.warning("no graphics chip here encodes %s: it is encoded on the processor", codec)
            options.codec = codec
    given = {key: str(value) for key in ("crf", "preset") if (value := getattr(options, key)) is not None} or None
    for target in targets or (options.output,):
        media.check_encoder(target, options.codec, given)
    return given


def stages_folder(output: str) -> str:
    """The folder beside the output for pictures of each stage, with --debug."""
    return "stitch.stages" if output == "-" else output.rstrip("/") + ".stages"
