"""The least squares fit of repair's Wiener step to restored clips whose clean frames are known."""

from typing import NamedTuple

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.differences import Planes, integer_scale
from vdiff_jax.postprocess.residual_filter import Coefficients
from vdiff_jax.postprocess.residual_operators import CLASSES, RestoredWindow, converted, restored_windows

_RIDGE = 1e-4
"""Draws a class's coefficients to those of all classes together, relative to the operators' mean squares."""


class Products(NamedTuple):
    """For one clip, the responses of the operators and the error multiplied with each other; the error is the last.

    They are means over the samples of a plane and over the frames, each divided by its mean squared error before.

    Attributes:
      error: the expected error of luma before the network, in 8-bit units.
      luma: of each class.
      chroma: of Cb and Cr.
    """

    error: float
    luma: np.ndarray
    chroma: np.ndarray

    def gain(self, by: Coefficients) -> np.ndarray:
        """By how many dB the coefficients raise the PSNR of Y', Cb and Cr."""
        parts = [(self.luma, by.luma), *((found[None], own[None]) for found, own in zip(self.chroma, by.chroma))]
        after = [np.concatenate([own, np.ones((len(own), 1))], axis=1) for _, own in parts]
        errors = [np.einsum("ck,ckl,cl", c, found, c) for (found, _), c in zip(parts, after)]
        return np.array([10 * np.log10(found[:, -1, -1].sum() / error) for (found, _), error in zip(parts, errors)])


def products(
    frames: list[Frame], source: list[Frame], pixels: PixelFormat, error: float, left: float, reach: int
) -> Products:
    """The products of a clip.

    Args:
      frames: the network's results, with the frames that it was given.
      source: the clean frames.
      pixels: their pixel format.
      error: the expected error of luma before the network, in 8-bit units.
      left: the expected error of luma in the results, in samples.
      reach: frames before and after each frame that the operators look at.
    """
    luma, chroma = [], []
    for window, clean in zip(restored_windows(frames, pixels, reach), source):
        truth = converted(clean.planes, pixels) if pixels.kind == "rgb" else None
        pairs = zip(window.window.base.planes[: window.count], truth or clean.planes)
        wrong = [integer_scale(a, window.pixels) - integer_scale(b, window.pixels) for a, b in pairs]
        rows = slice(0, len(wrong[0]))
        around = window.along_motion(rows, left)
        terms, classes = window.luma(rows, left, around, window.classes())
        luma.append(_multiplied(terms, wrong[0], classes))
        own = [(_chroma(window, n, slice(0, len(wrong[n])), left), wrong[n]) for n in (1, 2)]
        chroma.append([_multiplied(terms, error, np.zeros(error.shape, np.uint8), 1)[0] for terms, error in own])
    return Products(error, np.mean(luma, axis=0), np.mean(chroma, axis=0))


def solve(found: list[Products], errors: np.ndarray, left: np.ndarray) -> Coefficients:
    """The coefficients of least error, at each of the errors and, between these, on straight lines over log2.

    Args:
      found: the products of all clips.
      errors: the expected errors of luma before the network.
      left: the expected errors of luma in the results, which the coefficients are returned with.
    """
    nodes = np.eye(len(errors))
    hats = [[np.interp(np.log2(clip.error), np.log2(errors), node) for node in nodes] for clip in found]
    luma = _solved(hats, [clip.luma for clip in found])
    chroma = [_solved(hats, [clip.chroma[n][None] for clip in found])[:, 0] for n in (0, 1)]
    return Coefficients(np.asarray(left), luma, np.stack(chroma, axis=1))


def _solved(hats: list[list[float]], found: list[np.ndarray]) -> np.ndarray:
    """The coefficients `errors classes k`."""
    nodes, k = len(hats[0]), found[0].shape[-1] - 1
    gram = np.zeros((found[0].shape[0], nodes, k, nodes, k))
    cross = np.zeros((found[0].shape[0], nodes, k))
    for hat, part in zip(np.array(hats), found):
        gram += np.einsum("m,n,ckl->cmknl", hat, hat, part[:, :-1, :-1])
        cross -= np.einsum("n,ck->cnk", hat, part[:, :-1, -1])
    size = nodes * k
    gram, cross = gram.reshape(-1, size, size), cross.reshape(-1, size)
    scale = np.sqrt(np.diagonal(gram.sum(0)) + 1e-12)
    gram, cross = gram / np.outer(scale, scale), cross / scale
    ridge = _RIDGE * np.eye(size)
    together = np.linalg.solve(gram.sum(0) + ridge, cross.sum(0))
    solved = np.linalg.solve(gram + ridge, (cross + _RIDGE * together)[..., None])[..., 0] / scale
    return solved.reshape(-1, nodes, k).swapaxes(0, 1)


def _multiplied(terms: Planes, error: np.ndarray, classes: np.ndarray, count: int = CLASSES) -> np.ndarray:
    """The products of a frame for each class, `classes k+1 k+1`."""
    order = np.argsort(classes.ravel(), kind="stable")
    rows = np.take(np.stack([*terms, error]).reshape(len(terms) + 1, -1), order, axis=1)
    ends = np.cumsum(np.bincount(classes.ravel(), minlength=count))[:-1]
    found = np.array([part @ part.T for part in np.split(rows, ends, axis=1)], float)
    return found / error.size / (np.mean(error**2) + 0.05)


def _chroma(window: RestoredWindow, index: int, rows: slice, left: float) -> list[np.ndarray]:
    """The responses of all of chroma's operators."""
    return [*window.chroma(index, rows), *window.chroma_along_motion(index, rows, left)]
