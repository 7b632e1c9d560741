"""The command line: `python -m vdiff_jax.infer repair IN -o OUT`."""

import argparse
import json
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from vdiff_jax.caches import use_compilation_cache
from vdiff_jax.errors import VdiffError


def main(arguments: list[str] | None = None) -> int:
    """Reads the arguments, does what they say, and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr, force=True)
    logging.getLogger("vdiff_jax").setLevel(_level(options))
    if not options.debug:
        warnings.simplefilter("ignore")
    _asked_to_end.clear()
    for number in (signal.SIGINT, signal.SIGTERM):  # a job that is ended cleans up as Ctrl-C does
        signal.signal(number, _end)
    try:
        return options.run(options)
    except VdiffError as error:
        if options.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


_asked_to_end = threading.Event()


def _end(*signalled: object) -> None:
    """Ends as Ctrl-C does, with the next frame at the latest: JAX swallows what is raised in garbage collections."""
    _asked_to_end.set()
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vdiff_jax.infer", description="Repairs, stitches and compresses video."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    repair = commands.add_parser("repair", help="denoise, deblock, fill, enlarge, colour: make a video look as it did")
    repair.add_argument("input", nargs="?", help="a video, pictures, a folder of videos, or - ; the sample if left out")
    repair.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    tasks = ("auto", "denoise", "deblock", "inpaint", "interpolate", "superres", "colorize")
    repair.add_argument("--task", default="auto", choices=tasks)
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
    stitch.add_argument("--steady", action="store_true", help="take the shake out of cameras that are carried together")
    stitch.add_argument("--bridge", type=int, default=0, metavar="N", help="frames put between two clips")
    stitch.add_argument("--weights", help="base, or a file: its network makes --fill and --bridge instead")
    _add_common(stitch)
    stitch.set_defaults(run=_stitch)
    _add_compress(commands)
    _add_judging(commands)
    return parser


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
    compress.set_defaults(run=_compress)
    decompress = commands.add_parser("decompress", help="the video of a compressed file")
    decompress.add_argument("input", help="a file that compress wrote; any other video is decoded as it is")
    decompress.add_argument("-o", "--output", required=True, help="a video, a folder/ of PNGs, or -")
    decompress.add_argument("--weights", help="the file it was compressed with, if it isn't in the package")
    _add_common(decompress)
    decompress.set_defaults(run=_decompress)


def _add_judging(commands) -> None:
    choose = commands.add_parser("choose", help="which algorithm fits a video and this machine, tried out on a part")
    choose.add_argument("input", help="a video, or pictures")
    choose.set_defaults(run=_choose)
    compare = commands.add_parser("compare", help="how near a video is to what it should be: PSNR, SSIM, VMAF")
    compare.add_argument("reference", help="what it should be")
    compare.add_argument("test", help="the video to judge")
    compare.add_argument("--html", metavar="REPORT.html", help="a page with their course and the worst frames")
    compare.set_defaults(run=_compare)
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


def _level(options: argparse.Namespace) -> int:
    return logging.ERROR if options.quiet else logging.DEBUG if options.debug else logging.WARNING


_REPAIR = (
    *("task", "mask", "grow", "sigma", "fps", "slow", "scale", "size", "reference", "force", "deinterlace"),
    *("weights", "codec", "start", "stop"),
)
"""The options that `pipeline.repair` takes under the same name."""


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


def _repair(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax import media, sample
    from vdiff_jax.compression import decompress
    from vdiff_jax.pipeline import repair

    if options.input is None:
        options.input = str(sample.NOISY)
        if options.task in ("auto", "inpaint"):
            options.mask = options.mask or str(sample.MASK)
    keywords = {name: getattr(options, name) for name in _REPAIR}
    keywords["options"] = _encoder(options)

    def one(source: str | Path, target: str | Path) -> dict:
        with _progress(options, str(source)) as progress:
            if _asks_nothing(options) and media.read_attachment(source) is not None:
                given = {name: keywords[name] for name in ("codec", "options")}
                return decompress(source, target, progress=progress, **given)
            return repair(source, target, progress=progress, **keywords)

    videos = media.list_videos(options.input)
    if videos is None:
        return _finish(options, one(options.input, options.output))
    return _batch(options, videos, one)


def _stitch(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.stitching import stitch

    names = ("layout", "calibration", "projection", "crop", "fill", "steady", "bridge", "weights", "codec")
    keywords = {name: getattr(options, name) for name in names}
    with _progress(options, options.inputs[0]) as progress:
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


def _asks_nothing(options: argparse.Namespace) -> bool:
    """Whether a video is to be repaired as it needs it, so that a compressed one is decompressed."""
    asked = (name for name in _REPAIR if name not in ("task", "weights", "codec"))
    return options.task == "auto" and not any(getattr(options, name) for name in asked)


def _compress(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.compression import compress

    names = ("codec", "crf", "bitrate", "target_vmaf", "preset", "adapt", "weights")
    keywords = {name: getattr(options, name) for name in names}
    with _progress(options, options.input) as progress:
        return _finish(options, compress(options.input, options.output, progress=progress, **keywords))


def _decompress(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.compression import decompress

    keywords = {"weights": options.weights, "codec": options.codec, "options": _encoder(options)}
    with _progress(options, options.input) as progress:
        return _finish(options, decompress(options.input, options.output, progress=progress, **keywords))


def _choose(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.choosing import choose

    report = choose(options.input)
    _print(options, report, _advice)
    return _finish(options, report)


def _compare(options: argparse.Namespace) -> int:
    use_compilation_cache()
    from vdiff_jax.comparison import compare

    report = compare(options.reference, options.test, html=options.html)
    _print(options, report, _figures)
    return _finish(options, report)


def _print(options: argparse.Namespace, report: dict, words: Callable[[dict], Iterator[str]]) -> None:
    print(json.dumps(report, indent=2) if options.json else "\n".join(words(report)))


def _advice(report: dict) -> Iterator[str]:
    """What `choose` found, for people."""
    seen = report["measures"]
    yield f"{report['input']}: {seen['width']}x{seen['height']}, {seen['codec'] or 'uncoded'}; {report['why']}"
    if report["trial"]:
        trial = report["trial"]
        size = f"{trial['width']}x{trial['height']}"
        yield f"tried on {trial['frames']} of its frames at {size}, under {trial['damage']}:"
    for each in report["tried"]:
        whole = "" if each["seconds"] is None else f", {each['seconds']:.0f} s for all"
        yield f"  {each['name']:10} {each['gain']:+6.2f} dB  {each['seconds_per_frame']:.3f} s a frame{whole}"
    if report["choice"]:
        yield f"take {report['choice']['name']}, {report['choice']['why']}:\n  {report['choice']['command']}"


def _figures(report: dict) -> Iterator[str]:
    """What `compare` measured, for people."""
    yield f"{report['test']} beside {report['reference']}: {report['frames']} frames"
    names = {
        "psnr": "PSNR",
        "psnr_y": "PSNR of luma",
        "ssim": "SSIM",
        "vmaf": "VMAF",
        "temporal_error": "temporal error",
    }
    for name, title in names.items():
        yield f"  {title:15} {'not measured' if report[name] is None else f'{report[name]:.3f}'}"


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


class _progress:  # noqa: N801 a context manager read as a verb
    """A bar with frames a second and the time left, on a terminal's stderr only."""

    def __init__(self, options: argparse.Namespace, name: str):
        from tqdm import tqdm

        from vdiff_jax import media

        quiet = options.quiet or not sys.stderr.isatty()
        total = None if quiet or name == "-" else media.probe(name).frames
        self._bar = tqdm(total=total, unit="frame", desc=Path(name).name, disable=quiet)

    def __enter__(self):
        return self._count

    def _count(self, frames: int) -> None:
        if _asked_to_end.is_set():
            raise KeyboardInterrupt
        self._bar.update(frames - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


if __name__ == "__main__":
    sys.exit(main())
