"""Composes one frame of the panorama: apply gains, choose seams, warp, diffuse the remaining differences."""

import cv2
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from vdiff_jax.postprocess import exposure
from vdiff_jax.stitching import blend, seam
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.canvas import Canvas
from vdiff_jax.stitching.mosaic import Mosaic
from vdiff_jax.stitching.reduced_canvas import ReducedCanvas
from vdiff_jax.stitching.source import RGB
from vdiff_jax.stitching.warper import coverage, warp_camera

_CELLS = 30_000  # of the reduced canvas: seams on a finer one take longer to find and follow noise
_RETRY_FRAMES = 3  # frames until a seam that could not avoid motion is tried again
_RENEW_FRAMES = 10  # frames after which the seams of a moving rig are chosen again
_BLACK = 4.0  # code values: below this 99th percentile a frame counts as black


class Composer:
    """Composes panoramas from one frame of each camera; its memory use does not grow with the number of frames.

    Attributes:
      step: the width of the reduced canvas's cells in pixels.
      labels: the camera of each cell of the reduced canvas, -1 for none.
      present: which cameras had a frame at the last moment.
      seam_changes: how often the seams moved to avoid motion.
      blocked: in how many frames something moving still lay across a seam.
    """

    def __init__(self, calibration: Calibration, canvas: Canvas, samples: list[list[RGB]]):
        """Measures each camera's background and motion in `samples[camera][moment]`, and chooses the first seams."""
        self._calibration, self._canvas = calibration, canvas
        self.step = max(2, int(np.ceil((canvas.width * canvas.height / _CELLS) ** 0.5)))
        gained = [not np.allclose(gain, 1.0, atol=1e-3) for gain in calibration.gains]
        self._tables = [
            exposure.table(gain, each) if differs else None
            for gain, each, differs in zip(calibration.gains, samples, gained)
        ]
        matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
        self._joining = seam.joining_order(len(calibration.sizes), calibration.reference, matched)
        self.seam_changes, self.blocked, self._wait = 0, 0, 0
        self._one_geometry = len(calibration.homographies) == 1
        self._update_warps(calibration.homographies[0])
        self.present: tuple[bool, ...] = (True,) * len(calibration.sizes)
        self._measure_background(samples)
        self._blend_state: blend.State | None = None
        moving = self._motion_share if self._one_geometry else np.zeros(self._grid, bool)
        self._place_seams(self._background, moving)

    def _update_warps(self, homographies: Float[np.ndarray, "n 3 3"]) -> None:
        """Computes each camera's warp onto the canvas and onto the reduced canvas."""
        sizes = self._calibration.sizes
        self._warps = [warp_camera(self._canvas, each, size) for each, size in zip(homographies, sizes)]
        self._seen = coverage(self._canvas, self._warps)
        self._reduced = ReducedCanvas(self._canvas, homographies, sizes, self.step, self._tables)
        self._grid = self._reduced.grid
        self._overlap = self._reduced.seen.sum(axis=0) > 1

    def _measure_background(self, samples: list[list[RGB]]) -> None:
        """Measures each camera's background, the deviation that counts as motion, and how often each cell moves."""
        moments = min(len(each) for each in samples)
        pictures = np.stack([self._reduced([each[moment] for each in samples]) for moment in range(moments)])
        self._background = np.median(pictures, axis=0)
        deviation = _largest_channel(np.abs(pictures - self._background))
        self._motion_threshold = 12 + 6 * np.median(deviation, axis=0)
        self._motion_share = np.mean([self._moving(picture) for picture in pictures], axis=0)

    def compile(self, frames: list[RGB]) -> None:
        """Composes one moment so that XLA compiles; it does not count in `blocked`."""
        self(frames)
        self.blocked = 0

    def state(self) -> list[np.ndarray]:
        """The state after the last moment, for `take_up`."""
        counts = np.array([self.seam_changes, self.blocked, self._wait, *self.present], np.int64)
        blended = [] if self._blend_state is None else [np.asarray(leaf) for leaf in self._blend_state]
        return [counts, self._background, self.labels, *blended]

    def take_up(self, state: list[np.ndarray]) -> None:
        """Restores a `state`, so that composing continues after its moment."""
        counts, background, labels, *blended = state
        self.seam_changes, self.blocked, self._wait, *present = counts.tolist()
        self.present, self._background = tuple(map(bool, present)), background.copy()
        self._blend_state = tuple(blended) if blended else None
        self._use(labels)

    def __call__(self, frames: list[RGB | None], time: float = 0.0) -> UInt8[np.ndarray, "h w 3"]:
        """Composes one moment.

        Args:
          frames: one frame of each camera; None or a black frame counts as missing.
          time: seconds on the first input's clock.
        """
        frames = [None if frame is None or _black(frame) else frame for frame in frames]
        if not self._one_geometry:
            self._update_warps(self._calibration.at(time))
        pictures = self._reduced(frames)
        present = tuple(frame is not None for frame in frames)
        changed, self.present = present != self.present, present
        if not self._one_geometry:
            self._keep_seams(pictures, changed)
        else:
            moving = self._moving(pictures)
            if changed:
                self._place_seams(pictures, moving)
            else:
                self._avoid_motion(pictures, moving)
                self._update_background(pictures, moving)
        correction = self._correction(pictures)  # JAX computes it in the background, while OpenCV warps the cameras
        return self._mosaic(frames, self._tables, correction, 2 * self.step)

    def without_blending(self, frames: list[RGB | None]) -> UInt8[np.ndarray, "h w 3"]:
        """Returns the frames joined along the present seams, without diffusion."""
        return self._mosaic(frames, self._tables, None, 2 * self.step)

    def covered(self) -> Bool[np.ndarray, "h w"]:
        """Returns the pixels that the cameras of the last moment see."""
        return self._seen[list(self.present)].any(axis=0) if any(self.present) else np.zeros(self._seen.shape[1:], bool)

    def _moving(self, pictures: Float[np.ndarray, "n h w 3"]) -> Bool[np.ndarray, "h w"]:
        """The cells of the overlaps in which some camera differs from its background."""
        differs = _largest_channel(np.abs(pictures - self._background)) > self._motion_threshold
        present = pictures.reshape(len(pictures), -1).any(axis=1)[:, None, None]
        moving = (differs & self._reduced.seen & present).any(axis=0) & self._overlap
        opened = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return cv2.dilate(opened, np.ones((3, 3), np.uint8)) > 0

    def _seen_now(self) -> Bool[np.ndarray, "n h w"]:
        """The cells that each camera sees, none for cameras that are missing."""
        return self._reduced.seen & np.array(self.present)[:, None, None]

    def _place_seams(
        self, pictures: np.ndarray, moving: np.ndarray, before: Int[np.ndarray, "h w"] | None = None
    ) -> None:
        self._use(seam.place_seams(pictures, self._seen_now(), moving, self._joining, before))

    def _keep_seams(self, pictures: np.ndarray, changed: bool) -> None:
        """Keeps a moving rig's seams from frame to frame and chooses them again every ten frames."""
        self._wait = 0 if changed else self._wait - 1
        if self._wait <= 0:
            self._wait = _RENEW_FRAMES
            self._place_seams(pictures, np.zeros(self._grid, bool), None if changed else self.labels)
            return
        seen = self._seen_now()
        kept = np.take_along_axis(seen, np.maximum(self.labels, 0)[None], axis=0)[0] & (self.labels >= 0)
        self._use(np.where(kept, self.labels, np.where(seen.any(axis=0), seen.argmax(axis=0), -1)))

    def _avoid_motion(self, pictures: np.ndarray, moving: np.ndarray) -> None:
        """Moves the seams if something moves across them and new seams cross at most half as many moving cells."""
        crossed = seam.cells_crossed(self.labels, moving)
        self._wait = max(0, self._wait - 1)
        if crossed == 0 or self._wait:
            self.blocked += crossed > 0
            return
        labels = seam.place_seams(
            pictures, self._seen_now(), moving + 0.2 * self._motion_share, self._joining, self.labels
        )
        still_crossed = seam.cells_crossed(labels, moving)
        self._wait = 0 if still_crossed == 0 else _RETRY_FRAMES
        if still_crossed <= 0.5 * crossed:
            self._use(labels)
            self.seam_changes += 1
        self.blocked += still_crossed > 0

    def _update_background(self, pictures: np.ndarray, moving: np.ndarray) -> None:
        """Lets the background follow changes of light, more slowly where something moves."""
        present = np.array(self.present)[:, None, None, None]
        rate = np.where(moving, 0.005, 0.03)[None, ..., None] * present
        self._background += rate.astype(np.float32) * (pictures - self._background)

    def _use(self, labels: Int[np.ndarray, "h w"]) -> None:
        """Computes each camera's share of each pixel from the labels: 1 inside, a short ramp across the seams."""
        self.labels = labels
        height, width = self._seen.shape[1:]
        size = (self._grid[1] * self.step, self._grid[0] * self.step)
        shares = np.zeros(self._seen.shape, np.float32)
        for index, seen in enumerate(self._seen):
            if self.present[index]:
                soft = cv2.resize((labels == index).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
                shares[index] = (soft[:height, :width] + 1e-4) * seen
        total = shares.sum(axis=0)
        shares = np.where(shares > 0.01 * total, shares, 0) / np.maximum(total, 1e-9)
        self._mosaic = Mosaic(self._warps, shares / np.maximum(shares.sum(axis=0), 1e-9))

    def _correction(self, pictures: Float[np.ndarray, "n h w 3"]) -> Float[Array, "n h2 w2 3"] | None:
        """The diffused differences in code values, on cells twice as wide as the seams'; computed asynchronously."""
        if sum(self.present) < 2:
            return None
        seen = self._seen_now()
        whole = seen[:, ::2, ::2] & seen[:, 1::2, ::2] & seen[:, ::2, 1::2] & seen[:, 1::2, 1::2]
        size = (self._grid[1] // 2, self._grid[0] // 2)
        coarse = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures])
        labels = self.labels[::2, ::2]
        rate, state = np.float32(0.1), self._blend_state
        if state is None:
            rate, state = np.float32(1.0), blend.initial_state(coarse.shape)
        reach = max(4.0, 0.3 * min(labels.shape))
        correction, self._blend_state = blend.seam_corrections(
            coarse / np.float32(255), whole, labels, state, rate, reach=reach
        )
        return 255 * correction


def _largest_channel(pictures: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """The largest of three channels, ten times as fast as NumPy's `max` along so short an axis."""
    return np.maximum(np.maximum(pictures[..., 0], pictures[..., 1]), pictures[..., 2])


def _black(frame: RGB) -> bool:
    return bool(np.percentile(frame[::8, ::8], 99) < _BLACK)
