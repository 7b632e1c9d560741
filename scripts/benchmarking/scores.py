"""What a restored clip is worth: PSNR, over all or inside the mask, and how much a scene moves."""

import itertools
from collections.abc import Iterable

import cv2
import numpy as np

from benchmarking.problems import Problem

LATE = 40
"""The frame that colours are measured on, its first being the reference."""


def psnr(frames: np.ndarray, clean: np.ndarray, masks: np.ndarray | None = None) -> float:
    """Mean over the frames of each one's R'G'B' PSNR in dB, of 8-bit `t h w 3`, inside the masks `t h w` if given."""
    figures = []
    for t, (frame, truth) in enumerate(zip(frames, clean, strict=True)):
        error = np.square(frame.astype(np.float64) - truth)
        error = (error if masks is None else error[masks[t]]).mean()
        figures.append(10 * np.log10(255**2 / max(error, 1e-6)))
    return float(np.mean(figures))


def psnr_y(frames: np.ndarray, clean: np.ndarray) -> float:
    """Mean over the frames of each one's luma PSNR (BT.601) in dB."""
    return _mean_psnr((_ycrcb(frame)[..., :1], _ycrcb(truth)[..., :1]) for frame, truth in zip(frames, clean))


def psnr_chroma(frames: np.ndarray, clean: np.ndarray) -> float:
    """Mean over the frames of each one's PSNR of Cb and Cr together (BT.601) in dB."""
    return _mean_psnr((_ycrcb(frame)[..., 1:], _ycrcb(truth)[..., 1:]) for frame, truth in zip(frames, clean))


def score(problem: Problem, frames: np.ndarray, numbers: list[int]) -> float:
    """What the task is measured by; `numbers` says which of the problem's frames these are.

    Raises:
      ValueError: the frame that colours are measured on isn't among them.
    """
    clean = problem.clean()[numbers]
    if problem.task == "superres":
        return psnr_y(frames, clean)
    if problem.task == "colorize":
        at = numbers.index(min(LATE, len(problem.clean()) - 1))
        return psnr_chroma(frames[at : at + 1], clean[at : at + 1])
    masks = problem.masks()
    if masks is None:
        return psnr(frames, clean)
    held = [n for n, number in enumerate(numbers) if masks[number].any()]
    return psnr(frames[held], clean[held], masks[numbers][held])


def _ycrcb(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb) * 255


def _mean_psnr(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([10 * np.log10(255**2 / max(np.square(a - b).mean(), 1e-6)) for a, b in pairs]))


def changed_outside(frames: np.ndarray, damaged: np.ndarray, masks: np.ndarray) -> int:
    """How many samples outside the masks are no longer what they were."""
    return int(np.count_nonzero((frames != damaged)[~masks]))


def mean_flow(clean: np.ndarray) -> float:
    """Mean length of OpenCV's DIS flow (preset medium) between neighbouring frames, in pixels."""
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clean]
    lengths = [np.linalg.norm(estimator.calc(*pair, None), axis=-1).mean() for pair in itertools.pairwise(grey)]
    return float(np.mean(lengths)) if lengths else 0.0
