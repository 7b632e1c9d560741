"""Scores of a restored clip against the truth, and how much a scene moves."""

import itertools
from collections.abc import Iterable

import cv2
import numpy as np

from benchmarking.problems import Problem
from vdiff_jax.stream.dis import MEDIUM, make_dis

LATE = 40
"""The frame whose colours are scored; frame 0 is the reference."""


def psnr(frames: np.ndarray, clean: np.ndarray, masks: np.ndarray | None = None) -> float:
    """R'G'B' PSNR in dB of 8-bit frames `t h w 3`: the mean of the frames' PSNRs.

    With masks, bool `t h w`, only the pixels inside them count, and a frame whose mask is empty does not count.
    """
    figures = []
    for t, (frame, truth) in enumerate(zip(frames, clean, strict=True)):
        if masks is None or masks[t].any():
            error = np.square(frame.astype(np.float64) - truth)
            error = (error if masks is None else error[masks[t]]).mean()
            figures.append(10 * np.log10(255**2 / max(error, 1e-6)))
    return float(np.mean(figures))


def psnr_y(frames: np.ndarray, clean: np.ndarray) -> float:
    """PSNR of luma (BT.601) in dB of 8-bit R'G'B' frames `t h w 3`: the mean of the frames' PSNRs."""
    return _mean_psnr((_ycrcb(frame)[..., :1], _ycrcb(truth)[..., :1]) for frame, truth in zip(frames, clean))


def psnr_chroma(frames: np.ndarray, clean: np.ndarray) -> float:
    """PSNR of Cb and Cr together (BT.601) in dB of 8-bit R'G'B' frames `t h w 3`: the mean of the frames' PSNRs."""
    return _mean_psnr((_ycrcb(frame)[..., 1:], _ycrcb(truth)[..., 1:]) for frame, truth in zip(frames, clean))


def score(problem: Problem, frames: np.ndarray, numbers: list[int]) -> float:
    """The PSNR in dB by which a problem's task is judged: of R'G'B', of luma, of chroma, or inside the mask.

    Args:
      problem: holds the truth and the masks.
      frames: restored frames, uint8 RGB `n h w 3`.
      numbers: which frame of the problem each of them is.

    Raises:
      ValueError: for colorize, the frame whose colours are scored is not among them.
    """
    clean, masks = problem.clean()[numbers], problem.masks()
    if problem.task == "superres":
        return psnr_y(frames, clean)
    if problem.task == "colorize":
        at = numbers.index(min(LATE, len(problem.clean()) - 1))
        return psnr_chroma(frames[at : at + 1], clean[at : at + 1])
    return psnr(frames, clean, None if masks is None else masks[numbers])


def _ycrcb(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb) * 255


def _mean_psnr(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([10 * np.log10(255**2 / max(np.square(a - b).mean(), 1e-6)) for a, b in pairs]))


def changed_outside(frames: np.ndarray, damaged: np.ndarray, masks: np.ndarray) -> int:
    """The number of samples outside the masks that differ from the input; 0 is right for inpainting."""
    return int(np.count_nonzero((frames != damaged)[~masks]))


def optical_flow(clean: np.ndarray) -> np.ndarray:
    """OpenCV's DIS flow (preset medium) from each frame to the next, in pixels.

    Args:
      clean: frames, uint8 RGB `t h w 3`.

    Returns:
      float32 `t-1 h w 2`, x first.
    """
    estimator = make_dis(MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clean]
    return np.stack([estimator.calc(*pair, None) for pair in itertools.pairwise(grey)])


def mean_flow(clean: np.ndarray) -> float:
    """The mean length of the optical flow in pixels a frame; 0 for a clip of one frame."""
    return float(np.linalg.norm(optical_flow(clean), axis=-1).mean()) if len(clean) > 1 else 0.0
