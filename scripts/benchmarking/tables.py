"""Turns the figures of single scenes into means, and the means into a table."""

from collections.abc import Iterable, Set
from typing import Any

import numpy as np

MIB = 1 << 20


def summarise(figures: Iterable[dict[str, Any]], moving: Set[str]) -> list[dict[str, Any]]:
    """The means over the scenes: a row for each task, variant and peer.

    Args:
      figures: what was measured: `task`, `variant`, `scene`, `peer`, and the scores or `error`.
      moving: the scenes that move. Inpainting and interpolation have a mean over these alone, too.

    Returns:
      Rows with `psnr`, `seconds_per_frame` and so on; `failed` names the scenes on which the peer failed.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault((figure["task"], figure["variant"], figure["peer"]), []).append(figure)
    summary = []
    for (task, variant, peer), group in groups.items():
        row: dict[str, Any] = {"task": task, "variant": variant, "peer": peer}
        done = [figure for figure in group if "psnr" in figure]
        if done:
            row |= _means(done)
        in_motion = [figure["psnr"] for figure in done if figure["scene"] in moving]
        if task in ("inpaint", "interpolate") and in_motion:
            row["psnr_moving"] = float(np.mean(in_motion))
        if len(done) < len(group):
            row["failed"] = [figure["scene"] for figure in group if "error" in figure]
        summary.append(row)
    return summary


def _means(done: list[dict[str, Any]]) -> dict[str, Any]:
    means: dict[str, Any] = {"scenes": len(done)}
    for score in ("psnr", "vmaf", "vmaf_neg"):
        if all(score in figure for figure in done):
            means[score] = float(np.mean([figure[score] for figure in done]))
    timed = [figure for figure in done if "seconds_per_frame" in figure]
    if timed:
        means |= {
            "seconds_per_frame": float(np.mean([figure["seconds_per_frame"] for figure in timed])),
            "peak_memory_bytes": max(figure["peak_memory_bytes"] for figure in timed),
            "frames": sum(figure["frames"] for figure in timed),
            "earlier": any(figure.get("earlier") for figure in timed),
        }
    if any("changed_outside" in figure for figure in done):
        means["changed_outside"] = sum(figure.get("changed_outside", 0) for figure in done)
    return means


def as_text(summary: list[dict[str, Any]]) -> str:
    """A Markdown table for each task: a row for each peer, with each variant's dB and seconds a frame, and memory.

    Args:
      summary: the rows that `summarise` returns.
    """
    parts = []
    for task in dict.fromkeys(row["task"] for row in summary):
        rows = [row for row in summary if row["task"] == task]
        variants = list(dict.fromkeys(row["variant"] for row in rows))
        columns = [f"{variant}{extra}" for variant in variants for extra in (" dB", " s/frame")]
        lines = [f"| {task} | {' | '.join(columns)} | peak MB |", "|---" * (len(columns) + 2) + "|"]
        for peer in dict.fromkeys(row["peer"] for row in rows):
            mine = {row["variant"]: row for row in rows if row["peer"] == peer}
            cells = [cell for variant in variants for cell in _cells(mine.get(variant, {}))]
            peak = max((row.get("peak_memory_bytes", 0) for row in mine.values()), default=0)
            lines.append(f"| {peer} | {' | '.join(cells)} | {f'{peak / MIB:.0f}' if peak else ''} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def flow_line(flows: dict[str, float]) -> str:
    """A line with the mean flow of each scene, in pixels a frame."""
    return f"Mean flow in pixels a frame: {', '.join(f'{scene} {flow:.1f}' for scene, flow in flows.items())}."


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    if "psnr" not in row:
        return "", ""
    quality = f"{row['psnr']:.2f}"
    if "psnr_moving" in row:
        quality += f" (moving {row['psnr_moving']:.2f})"
    if "vmaf" in row:
        quality += f", VMAF {row['vmaf']:.1f}, NEG {row['vmaf_neg']:.1f}"
    if row.get("failed"):
        quality += f" (failed on {len(row['failed'])})"
    if "seconds_per_frame" not in row:
        return quality, ""
    return quality, f"{row['seconds_per_frame']:.4f}{'*' if row['earlier'] else ''}"
