"""What a restored clip is worth: PSNR, over all or inside the mask, and how much a scene moves."""

import itertools

import cv2
import numpy as np


def psnr(frames: np.ndarray, clean: np.ndarray, masks: np.ndarray | None = None) -> float:
    """Mean over the frames of each one's R'G'B' PSNR in dB, of 8-bit `t h w 3`, inside the masks `t h w` if given."""
    figures = []
    for t, (frame, truth) in enumerate(zip(frames, clean, strict=True)):
        error = np.square(frame.astype(np.float64) - truth)
        error = (error if masks is None else error[masks[t]]).mean()
        figures.append(10 * np.log10(255**2 / max(error, 1e-6)))
    return float(np.mean(figures))


def changed_outside(frames: np.ndarray, damaged: np.ndarray, masks: np.ndarray) -> int:
    """How many samples outside the masks are no longer what they were."""
    return int(np.count_nonzero((frames != damaged)[~masks]))


def mean_flow(clean: np.ndarray) -> float:
    """Mean length of OpenCV's DIS flow (preset medium) between neighbouring frames, in pixels."""
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clean]
    lengths = [np.linalg.norm(estimator.calc(*pair, None), axis=-1).mean() for pair in itertools.pairwise(grey)]
    return float(np.mean(lengths)) if lengths else 0.0
