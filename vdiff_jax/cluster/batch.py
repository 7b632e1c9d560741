"""Repairs a video, or a folder of videos, on a cluster."""

from collections.abc import Callable, Mapping
from typing import Any

from vdiff_jax.cluster.coordinator import Coordinator
from vdiff_jax.cluster.pool import RayPool
from vdiff_jax.cluster.worker import Video
from vdiff_jax.errors import VdiffError
from vdiff_jax.restoration.in_segments import Film
from vdiff_jax.runtime.progress import Listener


def repair_videos(
    targets: Mapping[str, str],
    options: dict[str, Any],
    *,
    address: str = "auto",
    progress: Listener,
    done: Callable[[str, dict[str, Any] | VdiffError], Any] = lambda source, report: None,
) -> dict[str, dict[str, Any] | VdiffError]:
    """Repairs videos on the workers of a Ray cluster.

    Args:
      targets: the output of each input video. Both are files, or files in buckets, that all machines of the cluster
        see.
      options: the fields of `restoration.options.Options`.
      address: "auto" for the cluster that this machine belongs to, or for this machine alone if it belongs to none;
        ray://HOST:PORT for another cluster.
      progress: is called with the frames that are done in all videos together.
      done: is called for each finished video, with its name and its report or error.

    Returns:
      The report or the error of each video.

    Raises:
      MissingError: Ray is not installed.
      ClusterError: the cluster can't be reached, or none of its machines has this version of vdiff_jax.
    """
    sources = list(targets)
    results: dict[str, dict[str, Any] | VdiffError] = {}

    def finished(video: int, result: dict[str, Any] | VdiffError) -> None:
        results[sources[video]] = result
        done(sources[video], result)

    def planned(video: int, film: Film) -> None:
        name = f"{sources[video]}: " if len(sources) > 1 else ""
        text = f"{name}{film.text}; {len(film.segments)} segments"
        progress.expect(film.frames if len(sources) == 1 else None, text)

    with RayPool(address) as pool:
        videos = [Video(source, target, options) for source, target in targets.items()]
        Coordinator(pool, videos, done=finished, planned=planned, progress=progress).run()
    return {source: results[source] for source in sources}
