"""The command line: `python -m vdiff_jax.infer repair IN -o OUT`."""

import argparse
import json
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from vdiff_jax.cli.arguments import parser
from vdiff_jax.cli.progress import asked_to_end, end_now, progress_bar
from vdiff_jax.cli.report_text import advice, figures
from vdiff_jax.errors import VdiffError
from vdiff_jax.runtime.caches import use_compilation_cache


def main(arguments: list[str] | None = None) -> int:
    """Reads the arguments, does what they say, and returns the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr, force=True)
    logging.getLogger("vdiff_jax").setLevel(_level(options))
    if not options.debug:
        warnings.simplefilter("ignore")
    asked_to_end.clear()
    for number in (signal.SIGINT, signal.SIGTERM):  # a job that is ended cleans up as Ctrl-C does
        signal.signal(number, end_now)
    try:
        return _COMMANDS[options.command](options)
    except VdiffError as error:
        if options.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _level(options: argparse.Namespace) -> int:
    return logging.ERROR if options.quiet else logging.DEBUG if options.debug else logging.WARNING


_REPAIR = (
    *("task", "mask", "grow", "sigma", "fps", "slow", "scale", "size", "reference", "force", "deinterlace"),
    *("weights", "codec", "start", "stop"),
)
"""The options that `repair_path` takes under the same name."""


def _repair(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax import media, sample
    from vdiff_jax.api import repair_path

    if options.input is None:
        options.input = str(sample.NOISY)
        if options.task in ("auto", "inpaint"):
            options.mask = options.mask or str(sample.MASK)
    keywords = {name: getattr(options, name) for name in _REPAIR}
    keywords["options"] = _encoder(options)

    def one(source: str | Path, target: str | Path) -> dict:
        with progress_bar(options, str(source)) as progress:
            return repair_path(source, target, progress=progress, **keywords)

    videos = media.list_videos(options.input)
    if videos is None:
        return _finish(options, one(options.input, options.output))
    return _batch(options, videos, one)


def _stitch(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.stitching.stitch import stitch

    names = ("layout", "calibration", "projection", "crop", "fill", "steady", "bridge", "weights", "codec")
    keywords = {name: getattr(options, name) for name in names}
    with progress_bar(options, options.inputs[0]) as progress:
        stitched = stitch(
            options.inputs,
            options.output,
            options=_encoder(options),
            debug=_stages(options),
            progress=progress,
            **keywords,
        )
    if options.layout == "auto" and not options.quiet:
        plan = stitched.report["plan"]
        print(f"{plan['layout']}: {plan['why']}", file=sys.stderr)
    return _finish(options, stitched.report)


def _compress(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.compression import compress

    names = ("codec", "crf", "bitrate", "target_vmaf", "preset", "adapt", "weights")
    keywords = {name: getattr(options, name) for name in names}
    with progress_bar(options, options.input) as progress:
        return _finish(options, compress(options.input, options.output, progress=progress, **keywords))


def _decompress(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.compression import decompress

    keywords = {"weights": options.weights, "codec": options.codec, "options": _encoder(options)}
    with progress_bar(options, options.input) as progress:
        return _finish(options, decompress(options.input, options.output, progress=progress, **keywords))


def _choose(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.choosing import choose

    report = choose(options.input)
    _print(options, report, advice)
    return _finish(options, report)


def _compare(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.comparison import compare

    report = compare(options.reference, options.test, html=options.html)
    _print(options, report, figures)
    return _finish(options, report)


def _print(options: argparse.Namespace, report: dict, words: Callable[[dict], Iterator[str]]) -> None:
    print(json.dumps(report, indent=2) if options.json else "\n".join(words(report)))


def _stages(options: argparse.Namespace) -> str | None:
    """With --debug, the folder beside the output that gets pictures of each stage."""
    if not options.debug:
        return None
    return "stitch.stages" if options.output == "-" else options.output.rstrip("/") + ".stages"


def _encoder(options: argparse.Namespace) -> dict[str, str] | None:
    """The encoder's own options, if any were given."""
    return {key: str(value) for key in ("crf", "preset") if (value := getattr(options, key)) is not None} or None


def _batch(options: argparse.Namespace, videos: list[Path], one) -> int:
    """A folder of videos to a folder of results, spread over the devices; failures are listed at the end."""
    from vdiff_jax.sharding import over_devices

    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)

    def attempt(video: Path) -> dict | VdiffError:
        try:
            return one(video, folder / video.name)
        except VdiffError as error:
            return error

    results = dict(zip((video.name for video in videos), over_devices(attempt, videos)))
    failures = {name: " ".join(str(e).split()) for name, e in results.items() if isinstance(e, VdiffError)}
    reports = {name: report for name, report in results.items() if name not in failures}
    for name, reason in failures.items():
        print(f"error: {name}: {reason}", file=sys.stderr)
    _finish(options, {"files": reports, "failures": failures})
    return 1 if failures else 0


def _finish(options: argparse.Namespace, report: dict) -> int:
    if options.report:
        partial = options.report.with_name(options.report.name + ".part")
        partial.write_text(json.dumps(report, indent=2) + "\n")
        partial.replace(options.report)
    return 0


_COMMANDS = {
    "repair": _repair,
    "stitch": _stitch,
    "compress": _compress,
    "decompress": _decompress,
    "choose": _choose,
    "compare": _compare,
}


if __name__ == "__main__":
    sys.exit(main())
