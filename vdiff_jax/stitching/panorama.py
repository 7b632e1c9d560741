"""Makes a panorama of several cameras: calibrate once, compose every moment, fill or crop unseen pixels."""

import dataclasses
import itertools
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stitching import report
from vdiff_jax.stitching.calibrate_rig import calibrate_rig, sample_frames
from vdiff_jax.stitching.calibration import Calibration, check_fits, load_calibration
from vdiff_jax.stitching.canvas import plan_canvas
from vdiff_jax.stitching.compose import Composer
from vdiff_jax.stitching.debug_pictures import DebugPictures
from vdiff_jax.stitching.source import RGB, NearestFrames, Source, common_start, duration
from vdiff_jax.stitching.warper import always_covered, largest_rectangle

logger = logging.getLogger(__name__)
CoveredFrame = tuple[RGB, Bool[np.ndarray, "h w"]]
"""A frame of the panorama, and the pixels that some camera sees."""
Fill = Callable[[Iterator[CoveredFrame]], Iterator[RGB]]
"""Yields all frames in order, with the unseen pixels filled."""
FillClip = Callable[[Float[np.ndarray, "t h w 3"], Float[np.ndarray, "t h w 1"]], Float[np.ndarray, "t h w 3"]]
"""Fills a clip in [0, 1] where a mask is 1."""
_CHUNK = 8  # frames that are filled together
_SHORT_TAIL = 0.1  # of the length: the end is cut off if a camera is missing there for less than this


@dataclasses.dataclass(frozen=True, kw_only=True)
class PanoramaOptions:
    """How to make a panorama.

    Attributes:
      projection: "auto", "planar" or "cylindrical".
      crop: cut to the largest rectangle that some camera sees at every moment.
      fill: fills unseen pixels; None leaves them black.
      steady: remove the shake of a rig that is carried as a whole.
      calibration: a JSON file, read if it exists and written if not.
      debug: a folder for pictures of each stage.
    """

    projection: str = "auto"
    crop: bool = False
    fill: Fill | None = None
    steady: bool = False
    calibration: str | pathlib.Path | None = None
    debug: str | pathlib.Path | None = None


class Panorama:
    """A calibrated rig whose panorama is composed frame by frame; `report` is complete after the last frame.

    Attributes:
      calibration: the rig.
      canvas: the surface that is drawn on.
      box: left, top, right, bottom of the part of the canvas that is shown.
      size: (width, height) of the frames.
      rate: frames per second, the first input's.
      start: seconds on the common clock at which the panorama starts. Sound before that is left out.
      report: what was found and done.
    """

    def __init__(self, sources: Sequence[Source], options: PanoramaOptions):
        """Calibrates the rig and compiles.

        Raises:
          StitchError: the inputs do not make a panorama.
          OptionError: an unknown projection.
        """
        check_options(sources, options)
        begun = time.perf_counter()
        self._sources, self._options = sources, options
        self.calibration, times, views = _calibration(sources, options)
        self.start, self._first = first_moment(sources, self.calibration.offsets)
        self._times: list[float] = []
        self.canvas = plan_canvas(self.calibration, kind=options.projection)
        calibrated = time.perf_counter()
        self._composer = Composer(self.calibration, self.canvas, views)
        self._composer.compile([view[0] for view in views])
        self.box = (0, 0, self.canvas.width, self.canvas.height)
        if options.crop:
            self.box = largest_rectangle(always_covered(self.canvas, self.calibration))
        self.rate = sources[0].rate
        self.size = (self.box[2] - self.box[0], self.box[3] - self.box[1])
        metrics = report.measure_quality(self.calibration, self.canvas, times, views)
        self.report = {
            **report.describe(self.calibration, self.canvas),
            "metrics": metrics,
            "advice": report.advice(self.calibration, metrics["alignment"]),
            "seconds": {"calibrate": calibrated - begun},
            "compile_seconds": time.perf_counter() - calibrated,
        }
        for sentence in self.report["advice"]:
            logger.warning("%s", sentence)
        self._debug = None if options.debug is None else DebugPictures(options.debug)
        if self._debug is not None:
            self._debug.panorama(self.calibration, self.canvas, views)

    def frames(self, checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[RGB]:
        """Yields the panorama's frames in order, RGB; a resumed run yields only the remaining ones."""
        fill, composed = self._options.fill, self._composed(checkpoints)
        pictures = (picture for picture, _ in composed) if fill is None else fill(composed)
        left, top, right, bottom = self.box
        for index, picture in enumerate(pictures):
            frame = np.ascontiguousarray(picture[top:bottom, left:right])
            if self._debug is not None and index == 0:
                self._debug.write("6_result", frame)
            yield frame

    def seconds(self, index: int) -> float:
        """The time of a frame that has been composed, in seconds since `start`."""
        return self._times[index]

    def sound_span(self, index: int) -> tuple[float, float | None]:
        """Which seconds of an input's own clock the panorama lasts; None where it goes on to the input's end."""
        offset = float(self.calibration.offsets[index])
        end = last_moment(self._sources, self.calibration.offsets) + 0.25 / self.rate - offset
        return self.start - offset, None if end > duration(self._sources[index]) - 0.5 / self.rate else end

    def _composed(self, checkpoints: Checkpoints) -> Iterator[CoveredFrame]:
        """The whole canvas at every moment that is left to compose, and the pixels that some camera sees."""
        offsets = self.calibration.offsets
        readers = [NearestFrames(source, float(offset)) for source, offset in zip(self._sources, offsets)]
        now, end = self._first, last_moment(self._sources, offsets)
        count, seconds, missing = 0, 0.0, np.zeros(len(readers), int)
        self._times.clear()
        if (kept := checkpoints.state("composer")) is not None:
            missing = kept[0].copy()
            self._composer.take_up(kept[1:])
        while now < end:
            frames = [reader.at(now) for reader in readers]
            if all(frame is None for frame in frames):
                break
            self._times.append(now - self.start)
            here, now, count = now, readers[0].after(now), count + 1
            if count <= checkpoints.begun.frames:
                continue
            begun = time.perf_counter()
            picture = self._composer(frames, here)
            seconds += time.perf_counter() - begun
            missing += ~np.array(self._composer.present)
            if count % _CHUNK == 0 and checkpoints.propose(count, 0):
                checkpoints.keep(count, "composer", [missing, *self._composer.state()])
            yield picture, self._composer.covered()
        self._complete_report(count, seconds, missing)

    def _complete_report(self, count: int, seconds: float, missing: Int[np.ndarray, " n"]) -> None:
        if count == 0:
            raise StitchError("the inputs have no frames at the same time: pass recordings that overlap in time")
        self.report["seconds"]["compose"] = seconds
        self.report |= {
            "frames": count, "width": self.size[0], "height": self.size[1],
            "frames_per_second": count / max(seconds, 1e-9),
            "seam": {"changes": self._composer.seam_changes, "frames_with_a_mover_across": self._composer.blocked},
        }  # fmt: skip
        for entry, frames in zip(self.report["inputs"], missing):
            entry["missing_frames"] = int(frames)


def check_options(sources: Sequence[Source], options: PanoramaOptions) -> None:
    """Raises StitchError unless there are two to eight inputs, and OptionError for an unknown projection."""
    if not 2 <= len(sources) <= 8:
        raise StitchError(f"{len(sources)} input{'s' * (len(sources) != 1)}: pass two to eight for a panorama")
    if options.projection not in ("auto", "planar", "cylindrical"):
        raise OptionError(f"unknown projection {options.projection}: pass auto, planar or cylindrical")


def first_moment(sources: Sequence[Source], offsets: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Returns the seconds on the common clock at which the panorama starts, and at which its first frame is shown.

    The panorama has the times of the first source's frames. It starts when all sources have started, and its first
    frame is shown when all of them have a frame.
    """
    begins, tolerance = common_start(sources, offsets), 0.25 / sources[0].rate
    times = (float(offsets[0]) + seconds for seconds, _ in sources[0].frames())
    first = next((each for each in times if each >= begins - tolerance), begins)
    return first - (begins - float(offsets.max())), first


def last_moment(sources: Sequence[Source], offsets: Float[np.ndarray, " n"]) -> float:
    """Returns the second on the common clock at which the panorama ends.

    It ends with the longest source, or with the shortest one if they differ by less than a tenth of the common length
    or by no more than the offsets.
    """
    ends = [offset + duration(source) for source, offset in zip(sources, offsets)]
    interval = 1 / min(source.rate for source in sources)
    short = max(_SHORT_TAIL * (min(ends) - float(offsets.max())), float(np.ptp(offsets)) + 1.5 * interval)
    last = min(ends) if max(ends) - min(ends) <= short else max(ends)
    return last - 0.25 / sources[0].rate


def _calibration(
    sources: Sequence[Source], options: PanoramaOptions
) -> tuple[Calibration, Float[np.ndarray, " k"], list[list[RGB]]]:
    """The calibration, from the file if it exists, and sample moments with each camera's frames."""
    path = options.calibration
    if path is None or not pathlib.Path(path).exists():
        calibration, times, views = calibrate_rig(sources, stabilised=options.steady)
        if path is not None:
            calibration.save(path)
            if len(calibration.times) > 1:
                logger.warning("%s: the cameras move, so this calibration fits only these recordings", path)
        return calibration, times, views
    calibration = load_calibration(path)
    check_fits(calibration, [source.size for source in sources])
    return calibration, *sample_frames(sources, calibration.offsets)


def fill_in_chunks(function: FillClip) -> Fill:
    """Returns a fill that passes eight frames at a time to a function and keeps all seen pixels unchanged."""

    def fill(moments: Iterator[CoveredFrame]) -> Iterator[RGB]:
        while chunk := list(itertools.islice(moments, _CHUNK)):
            frames, seen = np.stack([frame for frame, _ in chunk]), np.stack([seen for _, seen in chunk])[..., None]
            if not seen.all():
                given = frames.astype(np.float32) / 255
                result = np.asarray(function(given, 1 - seen.astype(np.float32)))
                frames = np.where(seen, frames, np.rint(result.clip(0, 1) * 255).astype(np.uint8))
            yield from frames

    return fill
