"""Where the colours of the last reference have gone, and how far they may be trusted there."""

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.preprocess.chunks import Chunk, Prepared

FADE = 0.99
"""What is left of the trust after each frame, however well it went."""
_MISMATCH = 0.06
"""A difference of luma, in levels, that says that a pixel is not the one it was taken for."""
_CONTRADICTION = 0.08
"""A mean difference of chroma, in levels, that two references of the same thing never have."""


class Trail:
    """Follows a reference's colours along the motion, coarsely and without the network.

    What is lost: what was hidden, what came into the picture, what doesn't look as it did, and a little each frame.
    """

    def __init__(self) -> None:
        self._trust = self._chroma = self._luma = None
        self.contradicted: list[bool] = []
        """For each frame of the last chunk, whether its reference can't be of the same things as the one before."""

    def __call__(self, chunk: Chunk) -> list[Float[np.ndarray, "hv wv"]]:
        """The trust in each frame's colours, 0 to 1, on the velocity's grid; chunks come in order."""
        if chunk.starts_shot:
            self._trust = None
        self.contradicted = []
        return [self._follow(item, field) for item, field in zip(chunk.prepared, chunk.velocity)]

    def _follow(self, item: Prepared, field: Float[np.ndarray, "hv wv 4"]) -> Float[np.ndarray, "hv wv"]:
        size = field.shape[1::-1]
        luma = cv2.resize(item.seen.small, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        trust, chroma = np.zeros_like(luma), np.zeros((*luma.shape, 2), np.float32)
        if self._trust is not None:
            y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
            at = (x + field[..., 0] / VELOCITY_GRID, y + field[..., 1] / VELOCITY_GRID)
            moved, trust, chroma = (
                cv2.remap(image, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
                for image in (self._luma, self._trust, self._chroma)
            )
            trust = FADE * trust * np.exp(-(((luma - moved) / _MISMATCH) ** 2))
        contradicted = False
        if item.coloured:
            colours = _on_grid(item.colours, size)
            known = colours[..., 2:] > 0.5
            told = np.where(known, colours[..., :2] / np.maximum(colours[..., 2:], 1e-6), chroma)
            both = (trust > 0.5) & known[..., 0]
            difference = np.abs(told - chroma).mean(axis=-1)
            contradicted = both.mean() > 0.05 and difference[both].mean() > _CONTRADICTION
            trust, chroma = np.where(known[..., 0], np.float32(1), trust), told
        self.contradicted.append(bool(contradicted))
        self._luma, self._trust, self._chroma = luma, trust, chroma.astype(np.float32)
        return trust


def best_next(trust: list[float], starts: list[int]) -> int:
    """The frame whose colours would help most, given each frame's mean trust and where shots start.

    A new reference is expected to fade with the distance as the ones before it did.
    """
    values, best, most = np.asarray(trust), 0, -1.0
    for first, last in zip(starts, [*starts[1:], len(trust)]):
        shot = values[first:last]
        ratios = shot[1:][shot[:-1] > 0.05] / shot[:-1][shot[:-1] > 0.05]
        fade = float(np.clip(np.median(ratios), 0.5, FADE)) if len(ratios) else FADE
        for candidate in range(0, len(shot), max(1, len(shot) // 200)):
            offered = fade ** np.abs(np.arange(len(shot)) - candidate)
            gain = float(np.maximum(offered - shot, 0).sum())
            if gain > most:
                best, most = first + candidate, gain
    return best


def _on_grid(colours: Float[np.ndarray, "h w 3"], size: tuple[int, int]) -> Float[np.ndarray, "hv wv 3"]:
    """Averages over the grid's cells; frames are padded at their right and lower edge."""
    height, width = size[1] * VELOCITY_GRID, size[0] * VELOCITY_GRID
    rest = (0, height - colours.shape[0], 0, width - colours.shape[1])
    padded = cv2.copyMakeBorder(np.ascontiguousarray(colours), *rest, cv2.BORDER_REPLICATE)
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
