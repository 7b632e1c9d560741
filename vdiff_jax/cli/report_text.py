"""Reports as text for the terminal."""

from collections.abc import Iterator
from pathlib import Path

from vdiff_jax.cli.progress import clock, figure

METRICS = {
    "psnr": "PSNR",
    "psnr_y": "PSNR of luma",
    "ssim": "SSIM",
    "vmaf": "VMAF",
    "temporal_error": "temporal error",
}
"""The metrics of a report of `compare`, with their names for the reader."""


def size_text(count: int) -> str:
    """A number of bytes in MB; in kB below 100 kB, in GB from 1 GB on."""
    unit, scale = ("GB", 1e9) if count >= 1e9 else ("MB", 1e6) if count >= 1e5 else ("kB", 1e3)
    return f"{figure(count / scale)} {unit}"


def frames_text(count: int) -> str:
    """A number of frames."""
    return f"{count} frame{'s' * (count != 1)}"


def closing_line(report: dict, target: str | Path, *, warnings: int = 0) -> str:
    """The closing line of a run: the output, what was done, size, time, speed and number of warnings."""
    tasks = " and ".join(report.get("plan", {}).get("tasks", ())) or (
        "nothing to do, copied as it is" if report.get("copied") else "written"
    )
    path = Path(target)
    size = f", {size_text(path.stat().st_size)}" if path.is_file() else ""
    picture = f"{report['width']}x{report['height']}{size}"
    seconds = report["seconds"].get("total", sum(report["seconds"].values()))
    time = f"{seconds:.1f} s ({figure(report['frames_per_second'])} frames/s)"
    said = f"; {warnings} warning{'s' * (warnings > 1)}" if warnings else ""
    name = "stdout" if str(target) == "-" else str(target)
    return f"{name}: {tasks}, {frames_text(report['frames'])} of {picture} in {time}{said}"


def forecast_text(report: dict) -> str:
    """What `repair --plan` prints: the plan, and estimates of the time and of the output's size."""
    if report["seconds"] is None:
        return f"{report['text']}\n  time and size are not known; nothing was written"
    if report.get("copied"):
        return f"{report['text']}\n  the file would be copied, {size_text(report['bytes'])}; nothing was written"
    time = f"about {clock(report['seconds'])}" if report["seconds"] >= 1 else "less than a second"
    if (report["compile_seconds"] or 0) >= 1:
        time += f" ({report['compile_seconds']:.0f} s of it to compile, which a second run saves)"
    rate = f" at {figure(report['frames_per_second'])} frames/s" if report["frames_per_second"] else ""
    size = size_text(report["bytes"])
    count = frames_text(report["frames"])
    return f"{report['text']}\n  {time} for {count}{rate}, about {size}; nothing was written"


def choice_text(report: dict) -> Iterator[str]:
    """The lines that describe a report of `choose`."""
    measures = report["measures"]
    size = f"{measures['width']}x{measures['height']}"
    yield f"{report['input']}: {size}, {measures['codec'] or 'not compressed'}; {report['why']}"
    if report["trial"]:
        trial = report["trial"]
        size = f"{trial['width']}x{trial['height']}"
        yield f"tried on {trial['frames']} of its frames at {size} with {trial['damage']}:"
    for result in report["tried"]:
        whole = "" if result["seconds"] is None else f", {result['seconds']:.0f} s for the whole video"
        yield f"  {result['name']:10} {result['gain']:+6.2f} dB  {result['seconds_per_frame']:.3f} s per frame{whole}"
    if report["choice"]:
        yield f"use {report['choice']['name']}, {report['choice']['why']}:\n  {report['choice']['command']}"


_CODEC_TITLES = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}


def compression_text(report: dict, target: str) -> str:
    """The closing line of `compress`: the bytes, and the quality that `decompress` is expected to add."""
    size, plan, vmaf = report["bytes"], report["plan"], report["vmaf"]
    title = _CODEC_TITLES[report["codec"]]
    before = "" if size["source"] is None else f"{size['source']:,} bytes became "
    line = (
        f"{target}: {before}{size['file']:,} bytes ({title} track {size['track']:,}, attachment {size['attachment']:,})"
    )
    if plan["tasks"]:
        gain = f"{plan['expected_gain_db']['y']:+.2f} dB"
        gain += "" if vmaf is None else f" and {vmaf['expected'] - vmaf['track']:+.2f} VMAF"
        line += f"; decompress is expected to change the track's luma by {gain} ({', '.join(plan['tasks'])})"
    else:
        line += f"; plain {title}: no restoration gains more than its bytes cost"
    if size["source"] is not None and size["file"] > size["source"]:
        line += "; that is larger than the source, which is compressed well already: "
        line += "pass a higher --crf or a lower --bitrate"
    if plan["not_tried"]:
        line += f"; no time to try {', '.join(plan['not_tried'])}: pass --adapt best"
    return f"{line}; {report['seconds']['total']:.1f} s"


def compression_forecast_text(report: dict) -> str:
    """What `compress --plan` prints: the plan, and estimates of the time and of the file's size."""
    least, most = (clock(max(report[name], 1.0)) for name in ("seconds", "seconds_at_most"))
    size = size_text(report["bytes"])
    return (
        f"{report['text']}\n  about {least} to encode {frames_text(report['frames'])}, at most about {most} in all, "
        f"about {size}; nothing was written"
    )


def export_text(report: dict) -> str:
    """The closing line of `export`."""
    size = "of any size" if report["size"] is None else "of {}x{}".format(*report["size"])
    title = {"onnx": "ONNX", "stablehlo": "StableHLO"}[report["format"]]
    return f"{report['output']}: {report['weights']} as {title}, for frames {size}, {report['bytes']:,} bytes"


def comparison_text(report: dict) -> Iterator[str]:
    """The lines that describe a report of `compare`."""
    yield f"{report['test']} compared with {report['reference']}: {frames_text(report['frames'])}"
    for name, title in METRICS.items():
        yield f"  {title:15} {'not measured' if report[name] is None else f'{report[name]:.3f}'}"
