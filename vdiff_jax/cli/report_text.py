"""Reports in words, for people."""

from collections.abc import Iterator


def advice(report: dict) -> Iterator[str]:
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


def figures(report: dict) -> Iterator[str]:
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
