"""Measures `vdiff repair --cluster` on a Ray cluster of two nodes that it starts on this machine.

    python scripts/measure_cluster.py speed CLIP [--videos 40] [--frames 16]
    python scripts/measure_cluster.py kill FILM

`speed` repairs short videos, cut from CLIP, in a plain loop, on one worker and on two, in turn, and prints their
seconds from the second video on: by then everything is compiled. `kill` repairs FILM on two nodes, kills one of them
while it restores a segment, and compares the result with that of one process. Both print JSON.
"""

import argparse
import contextlib
import itertools
import json
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
from benchmarking.arguments import new_parser
from ray.cluster_utils import Cluster

from vdiff_jax import media
from vdiff_jax.api import repair_path
from vdiff_jax.cluster.coordinator import Coordinator
from vdiff_jax.cluster.pool import RayPool
from vdiff_jax.cluster.worker import Video
from vdiff_jax.runtime.caches import use_compilation_cache


def main() -> None:
    """Measures and prints JSON."""
    parser = new_parser(__doc__)
    parser.add_argument("what", choices=("speed", "kill"), help="what to measure")
    parser.add_argument("clip", type=Path, help="a video; for kill one with cuts")
    parser.add_argument("--videos", type=int, default=40, help="speed: how many short videos (default: 40)")
    parser.add_argument("--frames", type=int, default=16, help="frames of a short video, or of a segment (default: 16)")
    parser.add_argument("--sigma", type=int, default=6, help="the noise that is removed, 8-bit (default: 6)")
    parser.add_argument("--weights", default="fast", help="a name or a file of weights (default: fast)")
    options = parser.parse_args()
    use_compilation_cache()
    with tempfile.TemporaryDirectory(prefix="vdiff_jax-") as folder:
        measure = {"speed": speed, "kill": kill}[options.what]
        print(json.dumps(measure(options, Path(folder)), indent=2))


def speed(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of a plain loop, one worker and two workers, from the second video on."""
    sources = short_videos(options, folder)
    keywords = {"sigma": options.sigma, "weights": options.weights}
    times = []
    for number, source in enumerate(sources):
        repair_path(source, folder / f"plain-{number}.mkv", **keywords)
        times.append(time.perf_counter())
    found: dict[str, Any] = {"plain loop": round(times[-1] - times[0], 2)}
    for workers in (1, 2):
        with _cluster(workers), RayPool("auto") as pool:
            while len(pool.idle()) < workers:
                time.sleep(0.1)
            videos = [Video(source, str(folder / f"{workers}-{n}.mkv"), keywords) for n, source in enumerate(sources)]
            ended: list[float] = []
            failed: list[Exception] = []

            def done(video: int, result: Any, ended: list = ended, failed: list = failed) -> None:
                ended.append(time.perf_counter())
                failed += [result] if isinstance(result, Exception) else []

            Coordinator(pool, videos, done=done).run()
        assert not failed, failed
        # The first video of each worker waits for the compiler.
        rest = len(sources) - workers
        found[f"{workers} workers"] = round((ended[-1] - ended[workers - 1]) / rest * (len(sources) - 1), 2)
    found["overhead of one worker"] = round(found["1 workers"] / found["plain loop"] - 1, 3)
    return found


def short_videos(options: argparse.Namespace, folder: Path) -> list[str]:
    """Videos of the clip's frames, which begin at different places."""
    with media.open_reader(options.clip) as reader:
        info, frames = reader.info, list(itertools.islice(reader, 4 * options.frames))
    sources = []
    for number in range(options.videos):
        sources.append(str(folder / f"short{number}.mkv"))
        begin = number % max(1, len(frames) - options.frames)
        with media.open_writer(sources[-1], info, codec="ffv1") as writer:
            for frame in frames[begin : begin + options.frames]:
                writer.write(frame)
    return sources


class Killing(RayPool):
    """Kills a node when its worker gets a segment.

    Attributes:
      cluster: the cluster.
      doomed: the node; `None` once it was killed.
    """

    cluster: Cluster
    doomed: Any

    def submit(self, worker: Any, method: str, *arguments: Any) -> None:
        """Starts a method on a worker."""
        super().submit(worker, method, *arguments)
        if method == "segment" and self.doomed is not None and self._workers[worker][0] == self.doomed.node_id:
            self.cluster.remove_node(self.doomed, allow_graceful=False)
            self.doomed = None


def kill(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Whether a film whose worker's node was killed equals that of one process."""
    keywords = {"sigma": options.sigma, "weights": options.weights, "codec": "ffv1"}
    whole, joined = folder / "whole.mkv", folder / "joined.mkv"
    with media.open_reader(options.clip) as reader:
        frames = reader.info.frames
    repair_path(options.clip, whole, **keywords)
    results, films = [], []
    with _cluster(2) as cluster, Killing("auto") as pool:
        pool.cluster, pool.doomed = cluster, cluster.list_all_nodes()[1]
        while len(pool.idle()) < 2:
            time.sleep(0.1)
        video = Video(str(options.clip), str(joined), keywords, frames=options.frames)
        begun = time.perf_counter()
        hear = {"done": lambda video, result: results.append(result), "planned": lambda video, film: films.append(film)}
        Coordinator(pool, [video], **hear).run()
        seconds, killed = time.perf_counter() - begun, pool.doomed is None
    if isinstance(results[0], Exception):
        raise results[0]
    same = 0
    with media.open_reader(whole) as one, media.open_reader(joined) as other:
        for first, second in zip(one, other, strict=True):
            same += first.pts == second.pts and all(map(np.array_equal, first.planes, second.planes))
    return {
        "killed": killed,
        "segments": len(films[0].segments),
        "frames": frames,
        "equal frames": int(same),
        "seconds": round(seconds, 1),
        "left": sorted(path.name for path in folder.iterdir()),
    }


@contextlib.contextmanager
def _cluster(nodes: int) -> Iterator[Cluster]:
    """A Ray cluster on this machine; this program is connected to it."""
    cluster = Cluster()
    try:
        for number in range(nodes):
            _add_node(cluster, {} if number else {"include_dashboard": False})
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def _add_node(cluster: Cluster, arguments: dict[str, Any], tries: int = 4) -> None:
    """Starts a node. Ray gives one 30 s, which is too little on a busy machine."""
    for left in reversed(range(tries)):
        try:
            cluster.add_node(num_cpus=1, **arguments)
            return
        except Exception:
            if not left:
                raise


if __name__ == "__main__":
    main()
