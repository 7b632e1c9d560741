"""`vdiff repair --cluster`: checks the command line, runs the cluster, and prints its progress and results."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from vdiff_jax import cluster, media
from vdiff_jax.cli.overwriting import check_overwriting
from vdiff_jax.cli.progress import progress_bar
from vdiff_jax.cli.report_text import closing_line
from vdiff_jax.errors import OptionError, OutputError, VdiffError

log = logging.getLogger(__name__)


def targets_of(options: argparse.Namespace) -> tuple[dict[str, str], bool]:
    """The output of each video, and whether IN is a batch. With `-n`, a batch leaves out videos whose output exists.

    Raises:
      MissingError: Ray is not installed.
      OptionError: `--plan`, or stdin or stdout, which a cluster does not take.
      InputError: the input does not exist, or has no videos.
      OutputError: the output can't be written, or exists and is kept.
    """
    cluster.ray_module()
    if options.plan:
        raise OptionError("--plan runs on this machine: leave out --cluster")
    if "-" in (options.input, options.output):
        raise OptionError("a cluster reads and writes files, not - : pass files, or leave out --cluster")
    videos = cluster.list_videos(options.input)
    if videos is None:
        if options.keep and cluster.exists(options.output):
            raise OutputError(f"{options.output} exists and is kept: leave out -n, or pass another name")
        check_overwriting(options.output, overwrite=options.overwrite, keep=False)
        return {_absolute(options.input): _absolute(options.output)}, False
    cluster.check_writable(options.output)
    folder = _absolute(options.output)
    names = media.result_names([Path(video) for video in videos])
    targets = {_absolute(video): cluster.beside(folder, name) for video, name in zip(videos, names)}
    return {video: name for video, name in targets.items() if not (options.keep and cluster.exists(name))}, True


def _absolute(name: str) -> str:
    """The absolute path of a file, because workers run in other folders. Names of weights and URLs stay unchanged."""
    return os.path.abspath(name) if os.path.exists(name) or ("/" in name and "://" not in name) else name


def repair_on_cluster(
    options: argparse.Namespace, targets: dict[str, str], keywords: dict[str, Any]
) -> dict[str, dict[str, Any] | VdiffError]:
    """Repairs videos on a cluster. Shows their common progress, and prints a line for each finished video.

    Args:
      options: of the command line.
      targets: the output of each video.
      keywords: the fields of `restoration.options.Options`.

    Returns:
      The report or the error of each video.
    """
    finished = 0
    for name in ("mask", "weights"):
        keywords[name] = keywords[name] and _absolute(keywords[name])
    pictures = [(name, media.reference_path(name)) for name in keywords["reference"]]
    keywords["reference"] = [name.removesuffix(path) + _absolute(path) for name, path in pictures]

    def done(source: str, result: dict[str, Any] | VdiffError) -> None:
        nonlocal finished
        finished += 1
        if isinstance(result, VdiffError):
            return
        for text in result["warnings"]:
            log.warning("%s: %s", source, text)
        if not options.quiet:
            position = f"{finished} of {len(targets)}: " if len(targets) > 1 else ""
            line = closing_line(result, targets[source], warnings=len(result["warnings"]))
            print(position + line, file=sys.stderr)

    with progress_bar(options.input, quiet=options.quiet, several=True) as progress:
        return cluster.repair_videos(targets, keywords, address=options.cluster, progress=progress, done=done)
