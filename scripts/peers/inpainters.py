"""Inpainters of single frames from OpenCV, OpenCV-contrib and scikit-image."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
from benchmarking.problems import Problem

from peers.peer import Restored, frame_by_frame, missing_modules


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inpainter:
    """`fill` inpaints a frame, uint8 RGB `h w 3`, inside its mask, bool `h w`."""

    name: str
    fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
    needs: str
    source: str
    task: str = "inpaint"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        if self.needs == "xphoto":
            found = hasattr(cv2, "xphoto") and hasattr(cv2.xphoto, "INPAINT_FSR_FAST")
            return None if found else '"opencv-contrib-python-headless<5"'
        return missing_modules([self.needs])

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores frame by frame. OpenCV's functions may use two threads."""
        cv2.setNumThreads(2)
        return frame_by_frame(self.fill, problem, budget=budget)


def _navier_stokes(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return cv2.inpaint(frame, mask.astype(np.uint8), 3, cv2.INPAINT_NS)


def _fsr(frame: np.ndarray, mask: np.ndarray, algorithm: int) -> np.ndarray:
    """Frequency selective reconstruction (Genser et al., PCS 2018). Its own mask is 0 where pixels are to be filled."""
    result = np.zeros_like(frame)
    cv2.xphoto.inpaint(np.ascontiguousarray(frame), np.where(mask, np.uint8(0), np.uint8(255)), result, algorithm)
    return np.where(mask[..., None], result, frame)


def _fsr_fast(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return _fsr(frame, mask, cv2.xphoto.INPAINT_FSR_FAST)


def _fsr_best(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return _fsr(frame, mask, cv2.xphoto.INPAINT_FSR_BEST)


def _biharmonic(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(frame, mask, split_into_regions=True, channel_axis=-1)
    return np.clip(np.round(filled * 255), 0, 255).astype(np.uint8)


PEERS = [
    Inpainter(name="navier-stokes", fill=_navier_stokes, needs="cv2", source="OpenCV"),
    Inpainter(name="fsr-fast", fill=_fsr_fast, needs="xphoto", source="OpenCV-contrib"),
    Inpainter(name="fsr-best", fill=_fsr_best, needs="xphoto", source="OpenCV-contrib"),
    Inpainter(name="biharmonic", fill=_biharmonic, needs="skimage", source="scikit-image"),
]
