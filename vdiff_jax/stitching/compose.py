"""One frame of the panorama: warp, match, choose the camera of each place, diffuse what is left at the seams."""

import cv2
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from vdiff_jax.postprocess import exposure
from vdiff_jax.stitching import blend, seam
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.low_resolution import Reduction
from vdiff_jax.stitching.mosaic import Mosaic
from vdiff_jax.stitching.projection import Canvas, cover, view

_CELLS = 30_000  # of the grid on which seams are chosen: finer ones take longer and follow noise
_RETRY = 3  # frames until a seam that can't avoid a mover is tried again
_RENEW = 10  # frames after which a moving rig's seams are chosen anew
_UNSEEN = 4.0  # code value of the 99th percentile under which a camera has gone black


class Composer:
    """Makes panoramas of one frame of each camera; what it keeps from frame to frame does not grow.

    Attributes:
      labels: the camera of each cell of the reduced canvas, -1 for none.
      present: which cameras were there in the last frame.
      seam_changes: how often the seams moved to avoid something.
      blocked: frames in which something moving lay across a seam all the same.
    """

    def __init__(self, calibration: Calibration, canvas: Canvas, samples: list[list[np.ndarray]]):
        """Args: samples: frames of each camera at the same moments, from which still and moving places are told."""
        self._calibration, self._canvas = calibration, canvas
        self.step = max(2, int(np.ceil((canvas.width * canvas.height / _CELLS) ** 0.5)))
        gained = [not np.allclose(gain, 1.0, atol=1e-3) for gain in calibration.gains]
        self._tables = [
            exposure.table(gain, each) if differs else None
            for gain, each, differs in zip(calibration.gains, samples, gained)
        ]
        matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
        self._joining = seam.order(len(calibration.sizes), calibration.reference, matched)
        self.seam_changes, self.blocked, self._wait = 0, 0, 0
        self._still = len(calibration.homographies) == 1
        self._aim(calibration.homographies[0])
        self.present: tuple[bool, ...] = (True,) * len(calibration.sizes)
        self._learn(samples)
        self._memory = None
        self._place(self._background, self._traffic if self._still else np.zeros(self._grid, bool))

    def _aim(self, homographies: Float[np.ndarray, "n 3 3"]) -> None:
        """Computes where each camera lands, in full and on the reduced canvas."""
        sizes = self._calibration.sizes
        self._views = [view(self._canvas, each, size) for each, size in zip(homographies, sizes)]
        self._seen = cover(self._canvas, self._views)
        self._reduction = Reduction(self._canvas, homographies, sizes, self.step, self._tables)
        self._grid, self._seen_small = self._reduction.grid, self._reduction.seen
        self._shared = self._seen_small.sum(axis=0) > 1

    def _learn(self, samples: list[list[np.ndarray]]) -> None:
        """The still background of each camera, how much each place flickers, and how often things pass there."""
        moments = min(len(each) for each in samples)
        pictures = np.stack([self._reduction([each[moment] for each in samples]) for moment in range(moments)])
        self._background = np.median(pictures, axis=0)
        away = _largest(np.abs(pictures - self._background))
        self._noticed = 12 + 6 * np.median(away, axis=0)
        self._traffic = np.mean([self._moving(picture) for picture in pictures], axis=0)

    def __call__(
        self, frames: list[UInt8[np.ndarray, "_h _w 3"] | None], time: float = 0.0
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Composes one moment; None, or black, stands for a camera that is missing."""
        frames = [None if frame is None or _black(frame) else frame for frame in frames]
        if not self._still:
            self._aim(self._calibration.at(time))
        pictures = self._reduction(frames)
        present = tuple(frame is not None for frame in frames)
        changed, self.present = present != self.present, present
        if not self._still:
            self._carry_on(pictures, changed)
        else:
            moving = self._moving(pictures)
            if changed:
                self._place(pictures, moving)
            else:
                self._avoid(pictures, moving)
                self._age(pictures, moving)
        extra = self._correct(pictures)  # begins now, and goes on while the cameras are warped
        return self._mosaic(frames, self._tables, extra, 2 * self.step)

    def joined(self, frames: list[UInt8[np.ndarray, "_h _w 3"] | None]) -> UInt8[np.ndarray, "h w 3"]:
        """The cameras put together along the seams as they are, nothing diffused."""
        return self._mosaic(frames, self._tables, None, 2 * self.step)

    def covered(self) -> Bool[np.ndarray, "h w"]:
        """The pixels that a camera which is there sees."""
        return self._seen[list(self.present)].any(axis=0) if any(self.present) else np.zeros(self._seen.shape[1:], bool)

    def _moving(self, pictures: Float[np.ndarray, "n h w 3"]) -> Bool[np.ndarray, "h w"]:
        """Where a camera that is there shows something that its background does not, in what several see."""
        away = _largest(np.abs(pictures - self._background)) > self._noticed
        there = pictures.reshape(len(pictures), -1).any(axis=1)[:, None, None]
        found = (away & self._seen_small & there).any(axis=0) & self._shared
        opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return cv2.dilate(opened, np.ones((3, 3), np.uint8)) > 0

    def _place(self, pictures: np.ndarray, moving: np.ndarray, before: Int[np.ndarray, "h w"] | None = None) -> None:
        seen = self._seen_small & np.array(self.present)[:, None, None]
        self._use(seam.place(pictures, seen, moving, self._joining, before))

    def _carry_on(self, pictures: np.ndarray, changed: bool) -> None:
        """A moving rig's seams: taken along from frame to frame, and chosen anew, reluctantly, every few frames."""
        self._wait = 0 if changed else self._wait - 1
        if self._wait <= 0:
            self._wait = _RENEW
            self._place(pictures, np.zeros(self._grid, bool), None if changed else self.labels)
            return
        seen = self._seen_small & np.array(self.present)[:, None, None]
        kept = np.take_along_axis(seen, np.maximum(self.labels, 0)[None], axis=0)[0] & (self.labels >= 0)
        self._use(np.where(kept, self.labels, np.where(seen.any(axis=0), seen.argmax(axis=0), -1)))

    def _avoid(self, pictures: np.ndarray, moving: np.ndarray) -> None:
        """Moves the seam when something has come across it and a better way is found."""
        hits = seam.crossing(self.labels, moving)
        self._wait = max(0, self._wait - 1)
        if hits == 0 or self._wait:
            self.blocked += hits > 0
            return
        seen = self._seen_small & np.array(self.present)[:, None, None]
        labels = seam.place(pictures, seen, moving + 0.2 * self._traffic, self._joining, self.labels)
        left = seam.crossing(labels, moving)
        self._wait = 0 if left == 0 else _RETRY
        if left <= 0.5 * hits:
            self._use(labels)
            self.seam_changes += 1
        self.blocked += left > 0

    def _age(self, pictures: np.ndarray, moving: np.ndarray) -> None:
        """Lets the background follow the light, slowly where something moves."""
        present = np.array(self.present)[:, None, None, None]
        rate = np.where(moving, 0.005, 0.03)[None, ..., None] * present
        self._background += rate.astype(np.float32) * (pictures - self._background)

    def _use(self, labels: Int[np.ndarray, "h w"]) -> None:
        """Turns cells into shares of pixels: 1 inside, a short ramp across the seam."""
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
        self._mosaic = Mosaic(self._views, shares / np.maximum(shares.sum(axis=0), 1e-9))

    def _correct(self, pictures: Float[np.ndarray, "n h w 3"]) -> Float[Array, "n h2 w2 3"] | None:
        """The diffused difference in code values, on cells twice as wide as the seam's; computed in the background."""
        if sum(self.present) < 2:
            return None
        seen = self._seen_small & np.array(self.present)[:, None, None]
        whole = seen[:, ::2, ::2] & seen[:, 1::2, ::2] & seen[:, ::2, 1::2] & seen[:, 1::2, 1::2]
        size = (self._grid[1] // 2, self._grid[0] // 2)
        coarse = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures])
        labels = self.labels[::2, ::2]
        rate, memory = np.float32(0.1), self._memory
        if memory is None:
            rate, memory = np.float32(1.0), (jnp.zeros(coarse.shape), jnp.zeros((*coarse.shape[:3], 1)))
        reach = max(4.0, 0.3 * min(labels.shape))
        extra, self._memory = blend.corrections(coarse / np.float32(255), whole, labels, memory, rate, reach=reach)
        return 255 * extra


def _largest(pictures: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    """The largest channel; NumPy's own `max` is ten times slower along so short an axis."""
    return np.maximum(np.maximum(pictures[..., 0], pictures[..., 1]), pictures[..., 2])


def _black(frame: UInt8[np.ndarray, "h w 3"]) -> bool:
    return bool(np.percentile(frame[::8, ::8], 99) < _UNSEEN)
