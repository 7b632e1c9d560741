"""Chroma propagated from frame to frame along the optical flow."""

import dataclasses
import time

import cv2
import numpy as np
from benchmarking.problems import Problem

from peers.peer import Restored, missing_modules


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowPropagation:
    """Each frame takes the last frame's chroma along OpenCV's DIS flow (preset medium), from the reference on."""

    name: str = "dis-flow"
    task: str = "colorize"
    source: str = "OpenCV"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(["cv2"])

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores all frames, in two threads."""
        cv2.setNumThreads(2)
        frames = problem.frames()
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        y, x = np.mgrid[: frames.shape[1], : frames.shape[2]].astype(np.float32)
        begun = time.perf_counter()
        last, chroma = frames[0][..., 0], cv2.cvtColor(problem.reference(), cv2.COLOR_RGB2YCrCb)[..., 1:]
        results = []
        for frame in frames:
            luma = np.ascontiguousarray(frame[..., 0])
            if results:
                motion = flow.calc(luma, last, None)
                at = x + motion[..., 0], y + motion[..., 1]
                chroma = cv2.remap(chroma, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            results.append(cv2.cvtColor(np.dstack([luma, chroma]), cv2.COLOR_YCrCb2RGB))
            last = luma
        seconds = (time.perf_counter() - begun) / len(frames)
        return Restored(frames=np.stack(results), numbers=list(range(len(frames))), seconds_per_frame=seconds)


PEERS = [FlowPropagation()]
