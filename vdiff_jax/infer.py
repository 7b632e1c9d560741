"""The command line: `vdiff repair IN -o OUT`, or `python -m vdiff_jax repair IN -o OUT`."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from vdiff_jax.cli.arguments import build_parser
from vdiff_jax.cli.closed_pipe import ends_with_its_reader, is_closed_pipe
from vdiff_jax.cli.console import log_to_console
from vdiff_jax.cli.error_text import one_line
from vdiff_jax.cli.output_options import encoder_options, stages_folder
from vdiff_jax.cli.overwriting import check_overwriting
from vdiff_jax.cli.progress import progress_bar, stopping_on_signals
from vdiff_jax.cli.repair_options import QUALITIES
from vdiff_jax.cli.report_text import (
    choice_text,
    closing_line,
    comparison_text,
    compression_forecast_text,
    compression_text,
    export_text,
    forecast_text,
)
from vdiff_jax.errors import OutputError, VdiffError
from vdiff_jax.runtime.allocator import share_one_heap
from vdiff_jax.runtime.caches import use_compilation_cache
from vdiff_jax.runtime.temporary import is_full
from vdiff_jax.runtime.warning_log import collected_warnings


@ends_with_its_reader
def main(arguments: list[str] | None = None) -> int:
    """Runs one command of the command line.

    Args:
      arguments: the command and its options; those of the process by default.

    Returns:
      The exit code: 0 done, 1 after a named error, 130 after Ctrl-C or SIGTERM, 141 at a closed pipe.
      Wrong usage exits with 2.
    """
    options = build_parser().parse_args(arguments)
    share_one_heap()
    log_to_console(quiet=options.quiet, debug=options.debug)
    if not options.debug:
        warnings.simplefilter("ignore")
    use_compilation_cache()
    with stopping_on_signals(), collected_warnings() as options.warnings:
        try:
            _check_report(options)
            return _COMMANDS[options.command](options)
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            if options.debug or is_closed_pipe(error) or is_full(error):
                raise
            print(f"error: {one_line(error, options.command)}", file=sys.stderr)
            return 1


_REPAIR = (
    *("task", "mask", "grow", "sigma", "fps", "slow", "scale", "size", "reference", "force", "deinterlace"),
    *("double_rate", "weights", "codec", "audio_codec", "start", "stop", "backend", "memory", "resume", "strength"),
    *("preview", "plan"),
)
"""The options of the command line that `repair_path` takes under the same name."""


def _repair(options: argparse.Namespace) -> int:
    from vdiff_jax import media, sample
    from vdiff_jax.api import repair_path

    if options.input is None:
        options.input = str(sample.NOISY)
        if options.task in ("auto", "inpaint"):
            options.mask = options.mask or str(sample.MASK)
    options.output = options.output or "plan.mp4"  # the plan's estimate is for this format
    options.weights = options.weights or QUALITIES[options.quality]
    options.resume, options.keep = options.resume or options.keep_going, options.keep or options.keep_going
    if options.cluster:
        return _repair_on_cluster(options)
    videos = media.list_videos(options.input)
    results = [] if videos is None else [Path(options.output) / name for name in media.result_names(videos)]
    keywords = _repair_keywords(options, *results)

    def one(source: str | Path, target: str | Path, position: str = "") -> dict:
        if options.plan:
            report = repair_path(source, target, **keywords)
            print(f"{source}: {forecast_text(report)}")
            return report
        check_overwriting(target, overwrite=options.overwrite, keep=options.keep)
        with progress_bar(str(source), quiet=options.quiet, position=position) as progress:
            report = repair_path(source, target, progress=progress, **keywords)
        _print_closing_line(options, report, target)
        return report

    if videos is not None:
        return _batch(options, videos, one)
    _write_report(options, one(options.input, options.output))
    return 0


def _repair_keywords(options: argparse.Namespace, *results: Path) -> dict:
    """The keywords of `repair_path`, for these outputs of a batch, or for one output."""
    keywords = {"options": encoder_options(options, *results)} | {name: getattr(options, name) for name in _REPAIR}
    return keywords | {"both_directions": options.quality == "best"}


def _repair_on_cluster(options: argparse.Namespace) -> int:
    from vdiff_jax.cli.on_cluster import repair_on_cluster, targets_of

    targets, batch = targets_of(options)
    results = repair_on_cluster(options, targets, _repair_keywords(options, *map(Path, targets.values())))
    if batch:
        return _end_batch(options, {Path(source).name: result for source, result in results.items()})
    [result] = results.values()
    if isinstance(result, VdiffError):
        raise result
    _write_report(options, result)
    return 0


def _stitch(options: argparse.Namespace) -> int:
    from vdiff_jax.stitching.stitch import stitch

    check_overwriting(options.output, overwrite=options.overwrite, keep=options.keep)
    names = ("layout", "calibration", "projection", "crop", "fill", "steady", "bridge", "weights", "codec", "resume")
    keywords = {name: getattr(options, name) for name in names}
    with progress_bar(options.inputs[0], quiet=options.quiet) as progress:
        stitched = stitch(
            options.inputs,
            options.output,
            options=encoder_options(options),
            debug=stages_folder(options.output) if options.debug else None,
            progress=progress,
            **keywords,
        )
    if options.layout == "auto" and not options.quiet:
        print("{layout}: {why}".format_map(stitched.report["plan"]), file=sys.stderr)
    _print_closing_line(options, stitched.report, options.output)
    _write_report(options, stitched.report)
    return 0


def _compress(options: argparse.Namespace) -> int:
    from vdiff_jax.compression import compress
    from vdiff_jax.compression.forecast import forecast

    names = ("codec", "crf", "bitrate", "target_vmaf", "preset", "adapt", "weights")
    keywords = {name: getattr(options, name) for name in names}
    if options.plan:
        report = forecast(options.input, options.output or "plan.mp4", **keywords)
        print(f"{options.input}: {compression_forecast_text(report)}")
        _write_report(options, report)
        return 0
    check_overwriting(options.output, overwrite=options.overwrite, keep=options.keep)
    keywords["resume"] = options.resume
    with progress_bar(options.input, quiet=options.quiet) as progress:
        report = compress(options.input, options.output, progress=progress, begin=progress.begin, **keywords)
    if not options.quiet:
        print(compression_text(report, options.output), file=sys.stderr)
    _write_report(options, report)
    return 0


def _decompress(options: argparse.Namespace) -> int:
    from vdiff_jax.compression import decompress

    check_overwriting(options.output, overwrite=options.overwrite, keep=options.keep)
    keywords = {"weights": options.weights, "codec": options.codec, "options": encoder_options(options)}
    keywords |= {"both_directions": options.quality == "best", "resume": options.resume}
    with progress_bar(options.input, quiet=options.quiet) as progress:
        report = decompress(options.input, options.output, progress=progress, **keywords)
    _print_closing_line(options, report, options.output)
    _write_report(options, report)
    return 0


def _choose(options: argparse.Namespace) -> int:
    from vdiff_jax.choosing import choose

    report = choose(options.input)
    _give_report(options, report, choice_text)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from vdiff_jax.comparison import compare

    report = compare(options.reference, options.test, html=options.html)
    _give_report(options, report, comparison_text)
    return 0


def _export(options: argparse.Namespace) -> int:
    from vdiff_jax.exporting import export

    check_overwriting(options.output, overwrite=options.overwrite, keep=options.keep)
    report = export(options.output, weights=options.weights, format=options.format, size=options.size)
    if not options.quiet:
        print(export_text(report), file=sys.stderr)
    _write_report(options, report)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from vdiff_jax.serve import serve

    serve(host=options.host, port=options.port, password=options.password, largest_upload=options.largest_upload)
    return 0


def _print_closing_line(options: argparse.Namespace, report: dict, target: str | Path) -> None:
    if not options.quiet:
        warnings = report.get("warnings", options.warnings)  # those of a batch's other videos do not count
        print(closing_line(report, target, warnings=len(warnings)), file=sys.stderr)


def _give_report(options: argparse.Namespace, report: dict, text: Callable[[dict], Iterator[str]]) -> None:
    print(json.dumps(report, indent=2) if options.json else "\n".join(text(report)))
    _write_report(options, report)


def _batch(options: argparse.Namespace, videos: list[Path], one: Callable[[Path, Path, str], dict]) -> int:
    """Repairs a folder of videos to a folder of results; the devices share them. Failures are listed at the end."""
    from vdiff_jax import media
    from vdiff_jax.sharding import over_devices

    folder = Path(options.output)
    targets = {video: folder / name for video, name in zip(videos, media.result_names(videos))}
    try:
        if not options.plan:
            folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{folder} is a file: pass a folder for the results of several videos") from error
    except OSError as error:
        raise OutputError(f"the folder {folder} can't be made for the results: {error.strerror}") from error
    kept = [video for video in videos if options.keep and targets[video].exists()]
    if kept and not options.quiet:
        print(f"{folder}: {len(kept)} of {len(videos)} results exist and are kept", file=sys.stderr)
    videos = [video for video in videos if video not in kept]

    def attempt(video: Path) -> dict | VdiffError:
        try:
            return one(video, targets[video], f"file {videos.index(video) + 1} of {len(videos)}")
        except VdiffError as error:
            return error
        except Exception as error:
            if options.debug or is_closed_pipe(error):
                raise
            return VdiffError(one_line(error, "repair"))

    return _end_batch(options, dict(zip((video.name for video in videos), over_devices(attempt, videos))))


def _end_batch(options: argparse.Namespace, results: dict[str, dict | VdiffError]) -> int:
    """Lists the failures of a batch, writes its report and returns the exit code."""
    failures = {name: one_line(e, "repair") for name, e in results.items() if isinstance(e, VdiffError)}
    reports = {name: report for name, report in results.items() if name not in failures}
    for name, reason in failures.items():
        print(f"error: {name}: {reason}", file=sys.stderr)
    _write_report(options, {"files": reports, "failures": failures})
    return 1 if failures else 0


def _check_report(options: argparse.Namespace) -> None:
    """Raises OutputError before any work if --report names a file that can't be written."""
    if options.report:
        from vdiff_jax import media

        names = ("input", "output", "reference", "test", "mask")
        files = [file for name in names if isinstance(file := getattr(options, name, None), str)]
        media.check_report(options.report, [*files, *getattr(options, "inputs", [])])


def _write_report(options: argparse.Namespace, report: dict) -> None:
    """Writes the report with the warnings, if --report names a file. It does not exist before it is complete."""
    if options.report:
        from vdiff_jax import media

        media.write_text(options.report, json.dumps(report | {"warnings": options.warnings}, indent=2) + "\n")


_COMMANDS = {
    "repair": _repair,
    "stitch": _stitch,
    "compress": _compress,
    "decompress": _decompress,
    "choose": _choose,
    "compare": _compare,
    "export": _export,
    "serve": _serve,
}


if __name__ == "__main__":
    sys.exit(main())
