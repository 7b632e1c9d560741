"""The command line: `python -m vdiff_jax.infer repair IN -o OUT`."""

import argparse
import json
import logging
import os
import signal
import sys
import warnings
from pathlib import Path

from vdiff_jax.errors import VdiffError


def main(arguments: list[str] | None = None) -> int:
    """Reads the arguments, does what they say, and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr, force=True)
    logging.getLogger("vdiff_jax").setLevel(_level(options))
    if not options.debug:
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is ended cleans up as Ctrl-C does
    try:
        return options.run(options)
    except VdiffError as error:
        if options.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vdiff_jax.infer", description="Repairs and stitches video.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    repair = commands.add_parser("repair", help="denoise, deblock, inpaint: make a video look as it did")
    repair.add_argument("input", nargs="?", help="a video, pictures, a folder of videos, or - ; the sample if left out")
    repair.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    repair.add_argument("--task", default="auto", choices=("auto", "denoise", "deblock", "inpaint"))
    repair.add_argument(
        "--mask", help="what to fill is white: a picture, a video, a folder with one a frame; auto: old film's damage"
    )
    repair.add_argument("--sigma", type=float, help="the noise's standard deviation, 8-bit units; measured if left out")
    repair.add_argument("--weights", default="base", help="base, fast, or a file")
    repair.add_argument("--from", dest="start", type=float, metavar="SECONDS", help="begin here")
    repair.add_argument("--to", dest="stop", type=float, metavar="SECONDS", help="end here")
    _add_common(repair)
    repair.set_defaults(run=_repair)
    stitch = commands.add_parser("stitch", help="several cameras to one panorama, several clips to one film")
    stitch.add_argument("inputs", nargs="+", metavar="IN", help="videos or pictures, two or more")
    stitch.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    stitch.add_argument("--layout", default="auto", choices=("auto", "panorama", "sequence"))
    stitch.add_argument("--calibration", metavar="FILE", help="keeps a rig's geometry: read if there, else written")
    stitch.add_argument("--projection", default="auto", choices=("auto", "planar", "cylindrical"))
    edge = stitch.add_mutually_exclusive_group()
    edge.add_argument("--crop", action="store_true", help="cut to the largest rectangle that is always seen")
    edge.add_argument("--fill", action="store_true", help="fill what no camera saw")
    stitch.add_argument("--bridge", type=int, default=0, metavar="N", help="frames put between two clips")
    stitch.add_argument("--stages", metavar="FOLDER", help="each stage as pictures")
    _add_common(stitch)
    stitch.set_defaults(run=_stitch)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--codec", help="an encoder's name, such as libx264, ffv1")
    command.add_argument("--crf", type=int, help="the encoder's quality")
    command.add_argument("--preset", help="the encoder's preset")
    command.add_argument("--report", type=Path, metavar="OUT.json", help="what was done, measured, how long it took")
    command.add_argument("--quiet", action="store_true", help="errors only")
    command.add_argument("--debug", action="store_true", help="everything, and the whole traceback")


def _level(options: argparse.Namespace) -> int:
    return logging.ERROR if options.quiet else logging.DEBUG if options.debug else logging.WARNING


def _repair(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax import media, sample
    from vdiff_jax.pipeline import repair

    if options.input is None:
        options.input, options.mask = str(sample.NOISY), options.mask or str(sample.MASK)
    keywords = {name: getattr(options, name) for name in ("task", "mask", "sigma", "weights", "codec", "start", "stop")}
    keywords["options"] = _encoder(options)

    def one(source: str | Path, target: str | Path) -> dict:
        with _progress(options, str(source)) as progress:
            return repair(source, target, progress=progress, **keywords)

    videos = media.list_videos(options.input)
    if videos is None:
        return _finish(options, one(options.input, options.output))
    return _batch(options, videos, one)


def _stitch(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.stitch import stitch

    names = ("layout", "calibration", "projection", "crop", "fill", "bridge", "codec")
    keywords = {name: getattr(options, name) for name in names}
    with _progress(options, options.inputs[0]) as progress:
        stitched = stitch(
            options.inputs,
            options.output,
            options=_encoder(options),
            debug=options.stages,
            progress=progress,
            **keywords,
        )
    return _finish(options, stitched.report)


def _encoder(options: argparse.Namespace) -> dict[str, str] | None:
    """The encoder's own options, if any were given."""
    return {key: str(value) for key in ("crf", "preset") if (value := getattr(options, key)) is not None} or None


def _batch(options: argparse.Namespace, videos: list[Path], one) -> int:
    """A folder of videos to a folder of results; failures are listed at the end."""
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    reports, failures = {}, {}
    for video in videos:
        try:
            reports[video.name] = one(video, folder / video.name)
        except VdiffError as error:
            failures[video.name] = " ".join(str(error).split())
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


class _progress:  # noqa: N801 a context manager read as a verb
    """A bar with frames a second and the time left, on a terminal's stderr only."""

    def __init__(self, options: argparse.Namespace, name: str):
        from tqdm import tqdm

        from vdiff_jax import media

        quiet = options.quiet or not sys.stderr.isatty()
        total = None if quiet or name == "-" else media.probe(name).frames
        self._bar = tqdm(total=total, unit="frame", desc=Path(name).name, disable=quiet)

    def __enter__(self):
        return lambda count: self._bar.update(count - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, unless the caller has said where or not to."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder() / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/vdiff_jax or ~/.cache/vdiff_jax."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vdiff_jax"


if __name__ == "__main__":
    sys.exit(main())
