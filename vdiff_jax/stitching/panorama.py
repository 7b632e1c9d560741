"""Several cameras to one panorama: calibrate once, compose every moment, fill or cut what no camera saw."""

import dataclasses
import itertools
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching import calibration as rig
from vdiff_jax.stitching import projection, report
from vdiff_jax.stitching.calibrate_rig import duration, samples, survey
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.compose import Composer
from vdiff_jax.stitching.debug_pictures import Stages
from vdiff_jax.stitching.source import RGB, Follower, Source

logger = logging.getLogger(__name__)
Moment = tuple[RGB, Bool[np.ndarray, "h w"]]
"""A frame, and what of it a camera saw."""
Fill = Callable[[Iterator[Moment]], Iterator[RGB]]
"""Gives the frames of all moments in order, with what no camera saw filled."""
FillClip = Callable[[Float[np.ndarray, "t h w 3"], Float[np.ndarray, "t h w 1"]], Float[np.ndarray, "t h w 3"]]
"""Fills a clip in [0, 1] where a mask is 1."""
_CHUNK = 8  # frames that are filled together
_TAIL = 0.1  # of the length: a shorter stretch in which a camera has ended already is left out


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What a panorama is to be.

    Attributes:
      projection: "auto", "planar" or "cylindrical".
      crop: cut to the largest rectangle that is always seen.
      fill: fills what no camera saw; None leaves it black.
      steady: take out the shake of cameras that are carried together, even if they keep their places.
      calibration: a file to reuse, or to write if it doesn't exist yet.
      debug: a folder for pictures of each stage.
    """

    projection: str = "auto"
    crop: bool = False
    fill: Fill | None = None
    steady: bool = False
    calibration: str | pathlib.Path | None = None
    debug: str | pathlib.Path | None = None


class Panorama:
    """A rig that is calibrated and whose frames come out one by one; `report` is complete after the last one."""

    def __init__(self, sources: Sequence[Source], options: Options):
        check(sources, options)
        begun = time.perf_counter()
        self._sources, self._options = sources, options
        self.calibration, times, views = _calibrated(sources, options)
        self.canvas = projection.plan(self.calibration, kind=options.projection)
        calibrated = time.perf_counter()
        self._composer = Composer(self.calibration, self.canvas, views)
        self._composer([view[0] for view in views])  # compiles
        self._composer.blocked = 0
        self.box = (0, 0, self.canvas.width, self.canvas.height)
        if options.crop:
            self.box = projection.inside(projection.always_covered(self.canvas, self.calibration))
        self.rate = sources[0].rate
        self.size = (self.box[2] - self.box[0], self.box[3] - self.box[1])
        self._views = views
        self.report = {
            **describe(self.calibration, self.canvas),
            "metrics": report.measure(self.calibration, self.canvas, times, views),
            "advice": [],
            "seconds": {"calibrate": calibrated - begun},
            "compile_seconds": time.perf_counter() - calibrated,
        }
        self.report["advice"] = report.advice(self.calibration, self.report["metrics"]["alignment"])
        for sentence in self.report["advice"]:
            logger.warning("%s", sentence)
        self._stages = None if options.debug is None else Stages(options.debug)
        if self._stages is not None:
            self._stages.panorama(self.calibration, self.canvas, views)

    def frames(self) -> Iterator[RGB]:
        """The panorama's frames in order, RGB."""
        fill = self._options.fill
        pictures = (picture for picture, _ in self._moments()) if fill is None else fill(self._moments())
        left, top, right, bottom = self.box
        for index, picture in enumerate(pictures):
            frame = np.ascontiguousarray(picture[top:bottom, left:right])
            if self._stages is not None and index == 0:
                self._stages.write("6_result", frame)
            yield frame

    def _moments(self) -> Iterator[Moment]:
        offsets = self.calibration.offsets
        followers = [Follower(source, float(offset)) for source, offset in zip(self._sources, offsets)]
        start, end = timeline(self._sources, offsets)
        count, seconds, missing = 0, 0.0, np.zeros(len(followers), int)
        while start + count / self.rate < end:
            now = start + count / self.rate
            frames = [follower.at(now) for follower in followers]
            if all(frame is None for frame in frames):
                break
            begun = time.perf_counter()
            picture = self._composer(frames, now)
            seconds += time.perf_counter() - begun
            missing += ~np.array(self._composer.present)
            yield picture, self._composer.covered()
            count += 1
        self._finish(count, seconds, missing)

    def _finish(self, count: int, seconds: float, missing: np.ndarray) -> None:
        if count == 0:
            raise StitchError("the inputs have no frames at the same time")
        self.report["seconds"]["compose"] = seconds
        self.report |= {
            "frames": count, "width": self.size[0], "height": self.size[1],
            "frames_per_second": count / max(seconds, 1e-9),
            "seam": {"changes": self._composer.seam_changes, "frames_with_a_mover_across": self._composer.blocked},
        }  # fmt: skip
        for entry, frames in zip(self.report["inputs"], missing):
            entry["missing_frames"] = int(frames)


def check(sources: Sequence[Source], options: Options) -> None:
    """Raises StitchError for too few or too many inputs, OptionError for an unknown projection."""
    if not 2 <= len(sources) <= 8:
        raise StitchError(f"{len(sources)} input{'s' * (len(sources) != 1)}: a panorama takes two to eight")
    if options.projection not in ("auto", "planar", "cylindrical"):
        raise OptionError(f"projection {options.projection}: pass auto, planar or cylindrical")


def timeline(sources: Sequence[Source], offsets: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """From when all have started until the last one ends, less a tail that is short or due to the offsets alone."""
    ends = [offset + duration(source) for source, offset in zip(sources, offsets)]
    start = float(offsets.max())
    interval = 1 / min(source.rate for source in sources)
    short = max(_TAIL * (min(ends) - start), float(np.ptp(offsets)) + 1.5 * interval)
    last = min(ends) if max(ends) - min(ends) <= short else max(ends)
    return start - 1e-6, last - 0.25 / sources[0].rate


def describe(calibration: Calibration, canvas: projection.Canvas) -> dict:
    """The report's part about geometry, time and light; inputs are counted from 1 as on the command line."""
    inputs = []
    for index, gain in enumerate(calibration.gains):
        path = [projection.to_canvas(canvas, frame[index]) for frame in calibration.homographies]
        entry = {
            "homography": path[0].tolist(),
            "offset_seconds": round(float(calibration.offsets[index]), 5),
            "gain": round(float(gain @ np.array([0.299, 0.587, 0.114])), 5),
            "gain_rgb": [round(float(each), 5) for each in gain],
        }
        if len(path) > 1:
            entry["segments"] = [
                {"seconds": float(moment), "homography": each.tolist()} for moment, each in zip(calibration.times, path)
            ]
        inputs.append(entry)
    pairs = [{**pair, "inputs": [each + 1 for each in pair["inputs"]]} for pair in calibration.pairs]
    return {
        "layout": "panorama",
        "inputs": inputs,
        "projection": {
            "kind": canvas.kind, "canvas": [canvas.width, canvas.height], "focal": calibration.focal,
            "reference": calibration.reference + 1, "origin": list(canvas.origin), "level": canvas.level.tolist(),
            "cameras_turn_about_one_point": calibration.turning, "moving_rig": len(calibration.times) > 1,
        },
        "residual_pixels": calibration.rms,
        **({} if calibration.shake is None else {"shake_pixels": dict(zip(("before", "after"), calibration.shake))}),
        "pairs": pairs,
    }  # fmt: skip


def _calibrated(sources: Sequence[Source], options: Options) -> tuple[Calibration, np.ndarray, list[list[RGB]]]:
    path = options.calibration
    if path is None or not pathlib.Path(path).exists():
        calibration, times, views = survey(sources, steadied=options.steady)
        if path is not None:
            calibration.save(path)
            if len(calibration.times) > 1:
                logger.warning("%s: these cameras move, so that it serves these very recordings only", path)
        return calibration, times, views
    calibration = rig.load(path)
    rig.check_fits(calibration, [source.size for source in sources])
    return calibration, *samples(sources, calibration.offsets)


def in_chunks(function: FillClip) -> Fill:
    """A fill that hands a function eight frames at a time and keeps every pixel that was seen."""

    def fill(moments: Iterator[Moment]) -> Iterator[RGB]:
        while chunk := list(itertools.islice(moments, _CHUNK)):
            frames, seen = np.stack([frame for frame, _ in chunk]), np.stack([seen for _, seen in chunk])[..., None]
            if not seen.all():
                given = frames.astype(np.float32) / 255
                result = np.asarray(function(given, 1 - seen.astype(np.float32)))
                frames = np.where(seen, frames, np.rint(result.clip(0, 1) * 255).astype(np.uint8))
            yield from frames

    return fill
