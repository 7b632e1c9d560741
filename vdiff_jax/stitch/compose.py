"""One frame of the panorama: warp, match, choose the camera of each place, diffuse what is left at the seams."""

import cv2
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from vdiff_jax.stitch import blend, seam
from vdiff_jax.stitch.calibration import Calibration
from vdiff_jax.stitch.projection import Canvas, cover, view
from vdiff_jax.stitch.reduction import Reduction

_CELLS = 30_000  # of the grid on which seams are chosen: finer ones take longer and follow noise
_RETRY = 3  # frames until a seam that can't avoid a mover is tried again
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
        self._luts = [_lut(gain) for gain in calibration.gains]
        matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
        self._joining = seam.order(len(calibration.sizes), calibration.reference, matched)
        self.seam_changes, self.blocked, self._wait = 0, 0, 0
        self._still = len(calibration.homographies) == 1
        self._aim(calibration.homographies[0])
        self.present: tuple[bool, ...] = (True,) * len(calibration.sizes)
        self._learn(samples)
        self._memory = None
        self._place(self._background, self._traffic)

    def _aim(self, homographies: Float[np.ndarray, "n 3 3"]) -> None:
        """Computes where each camera lands, in full and on the reduced canvas."""
        sizes = self._calibration.sizes
        self._views = [view(self._canvas, each, size) for each, size in zip(homographies, sizes)]
        self._seen = cover(self._canvas, self._views)
        self._reduction = Reduction(self._canvas, homographies, sizes, self.step)
        self._grid, self._seen_small = self._reduction.grid, self._reduction.seen

    def _learn(self, samples: list[list[np.ndarray]]) -> None:
        """The still background of each camera, how much each place flickers, and how often things pass there."""
        moments = min(len(each) for each in samples)
        pictures = np.stack([self._reduced([each[moment] for each in samples]) for moment in range(moments)])
        self._background = np.median(pictures, axis=0)
        away = np.abs(pictures - self._background).max(axis=-1)
        self._flicker = np.median(away, axis=0) * 1.5
        self._traffic = np.mean([self._moving(picture) for picture in pictures], axis=0)

    def _reduced(self, frames: list) -> Float[np.ndarray, "n h w 3"]:
        return self._reduction(frames) * self._calibration.gains[:, None, None].astype(np.float32)

    def __call__(
        self, frames: list[UInt8[np.ndarray, "_h _w 3"] | None], time: float = 0.0
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Composes one moment; None, or black, stands for a camera that is missing."""
        frames = [None if frame is None or _black(frame) else frame for frame in frames]
        if not self._still:
            self._aim(self._at(time))
        pictures = self._reduced(frames)
        moving = self._moving(pictures)
        present = tuple(frame is not None for frame in frames)
        if present != self.present or not self._still:
            self.present = present
            self._place(pictures, moving)
        elif self._still:
            self._avoid(pictures, moving)
            self._age(pictures, moving)
        extra = self._correct(pictures)
        return self._draw(frames, extra)

    def covered(self) -> Bool[np.ndarray, "h w"]:
        """The pixels that a camera which is there sees."""
        return self._seen[list(self.present)].any(axis=0) if any(self.present) else np.zeros(self._seen.shape[1:], bool)

    def _at(self, time: float) -> Float[np.ndarray, "n 3 3"]:
        times, path = self._calibration.times, self._calibration.homographies
        position = np.interp(time, times, np.arange(len(times)))
        low = min(int(position), len(times) - 2)
        return path[low] * (low + 1 - position) + path[low + 1] * (position - low)

    def _moving(self, pictures: Float[np.ndarray, "n h w 3"]) -> Bool[np.ndarray, "h w"]:
        """Where a camera that is there shows something that its background does not, in what several see."""
        away = np.abs(pictures - self._background).max(axis=-1) > 12 + 4 * self._flicker
        present = pictures.any(axis=(1, 2, 3))[:, None, None]
        shared = self._seen_small.sum(axis=0) > 1
        found = (away & self._seen_small & present).any(axis=0) & shared
        opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return cv2.dilate(opened, np.ones((3, 3), np.uint8)) > 0

    def _place(self, pictures: np.ndarray, moving: np.ndarray, before: Int[np.ndarray, "h w"] | None = None) -> None:
        seen = self._seen_small & np.array(self.present)[:, None, None]
        self._use(seam.place(pictures, seen, moving, self._joining, before))

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
        self._parts = [_part(share / np.maximum(shares.sum(axis=0), 1e-9)) for share in shares]

    def _correct(self, pictures: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h2 w2 3"] | None:
        """The diffused difference, on cells twice as wide as the seam's."""
        if sum(self.present) < 2:
            return None
        seen = self._seen_small & np.array(self.present)[:, None, None]
        whole = seen[:, ::2, ::2] & seen[:, 1::2, ::2] & seen[:, ::2, 1::2] & seen[:, 1::2, 1::2]
        coarse = np.stack(
            [
                cv2.resize(each, (self._grid[1] // 2, self._grid[0] // 2), interpolation=cv2.INTER_AREA)
                for each in pictures
            ]
        )
        labels = self.labels[::2, ::2]
        rate = 0.1 if self._memory is not None else 1.0
        memory = self._memory
        if memory is None:
            memory = (jnp.zeros(coarse.shape), jnp.zeros((*coarse.shape[:3], 1)))
        reach = max(4.0, 0.3 * min(labels.shape))
        extra, self._memory = blend.corrections(
            coarse / np.float32(255), whole, labels, memory, jnp.float32(rate), reach=reach
        )
        return np.asarray(extra) * np.float32(255)

    def _draw(self, frames: list, extra: Float[np.ndarray, "n h2 w2 3"] | None) -> UInt8[np.ndarray, "h w 3"]:
        """Warps each camera to where it has a share and adds them up."""
        canvas = np.zeros((self._canvas.height, self._canvas.width, 3), np.uint8)
        ramp = np.zeros(canvas.shape, np.float32)
        size = (self._grid[1] * self.step, self._grid[0] * self.step)
        for index, (frame, each, part) in enumerate(zip(frames, self._views, self._parts)):
            if frame is None or part is None:
                continue
            rows, columns, whole, mixed, share = part
            left, top = each.box[:2]
            inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
            maps = [lookup[inner] for lookup in each.maps]
            picture = cv2.remap(
                cv2.LUT(frame, self._luts[index]), *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            if extra is not None and np.abs(extra[index]).max() > 0.3:
                enlarged = cv2.resize(extra[index], size, interpolation=cv2.INTER_LINEAR)[rows, columns]
                picture = cv2.add(picture, enlarged, dtype=cv2.CV_8U)
            cv2.copyTo(picture, whole, canvas[rows, columns])
            if mixed is not None:
                there = (slice(mixed[0].start + rows.start, mixed[0].stop + rows.start),
                         slice(mixed[1].start + columns.start, mixed[1].stop + columns.start))  # fmt: skip
                ramp[there] += picture[mixed] * share
        return _settle(canvas, ramp, self._parts)


def _settle(canvas: np.ndarray, ramp: np.ndarray, parts: list) -> UInt8[np.ndarray, "h w 3"]:
    """Puts the ramps across the seams into the canvas."""
    for part in parts:
        if part is None or part[3] is None:
            continue
        rows, columns, _, mixed, share = part
        there = (slice(mixed[0].start + rows.start, mixed[0].stop + rows.start),
                 slice(mixed[1].start + columns.start, mixed[1].stop + columns.start))  # fmt: skip
        band = (share > 0).astype(np.uint8)
        cv2.copyTo(cv2.convertScaleAbs(ramp[there]), band, canvas[there])
    return canvas


def _part(share: Float[np.ndarray, "h w"]) -> tuple | None:
    """Where a camera has a share: its rows and columns, the pixels it has alone, the box and shares of its ramp."""
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    if len(rows) == 0:
        return None
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside = share[box]
    ramp = (inside > 0) & (inside < 0.999)
    whole = (inside >= 0.999).astype(np.uint8)
    if not ramp.any():
        return (*box, whole, None, None)
    rows, columns = np.flatnonzero(ramp.any(axis=1)), np.flatnonzero(ramp.any(axis=0))
    mixed = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    return (*box, whole, mixed, np.where(ramp, inside, 0)[mixed][..., None])


def _lut(gain: Float[np.ndarray, " 3"]) -> UInt8[np.ndarray, "1 256 3"]:
    return np.rint(np.clip(np.arange(256)[None, :, None] * gain, 0, 255)).astype(np.uint8)


def _black(frame: UInt8[np.ndarray, "h w 3"]) -> bool:
    return bool(np.percentile(frame[::8, ::8], 99) < _UNSEEN)
