"""Trains the twin of the package's network: the same function and training step in PyTorch.

    python -m peers.twin weights.safetensors batch.npz --loss psnr --clip 5

`benchmark_training.py --twin` runs it in scripts/ and compares losses and seconds.

WEIGHTS are the package's. BATCH holds arrays: values, known, sigma, time, velocity and clip as in
`training.data.Example`, with every sample known; rates, the learning rate of each step; and rgb, the matrix from Y'CbCr
to R'G'B'. There are as many steps as rates, all on this batch. Prints JSON: the number of parameters, and the loss and
seconds of each step (forward, backward and Adam; channels last, on the CPU).
"""

import argparse
import json
import time

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from peers.twin_network import Frame, Twin

LOSSES = {
    "charbonnier": lambda d: torch.sqrt(d**2 + 1e-6).mean(),
    "mse": lambda d: (d**2).mean(),
    "psnr": lambda d: torch.log10((d**2).mean(dim=(1, 2, 3)) + 3e-6).mean(),
}
"""The loss of a frame, from the difference of result and truth in R'G'B', `b c h w`."""


def read(path: str) -> tuple[list[Frame], torch.Tensor, torch.Tensor, list[float]]:
    """The frames and an empty one after them, the truth `t b c h w`, the matrix to R'G'B', and the learning rates."""
    with np.load(path) as file:
        batch = {name: torch.from_numpy(file[name]) for name in file.files}
    if not bool((batch["known"] == 1).all()):
        raise SystemExit(f"{path}: some samples are unknown; the twin takes only batches without holes")
    for name in ("values", "known", "sigma", "velocity", "clip"):
        batch[name] = batch[name].permute(1, 0, 4, 2, 3)
    images = zip(*(batch[name].unbind() for name in Frame._fields[:4]))
    images = [[image.contiguous(memory_format=torch.channels_last) for image in frame] for frame in images]
    frames = [Frame(*frame, at) for frame, at in zip(images, batch["time"].unbind(dim=1))]
    frames.append(Frame(*(torch.zeros_like(part) for part in frames[-1])))
    return frames, batch["clip"], batch["rgb"], batch["rates"].tolist()


def main() -> None:
    """Trains and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="the package's weights, .safetensors")
    parser.add_argument("batch", help="the batch, .npz")
    parser.add_argument("--loss", default="psnr", choices=LOSSES, help="the loss (default: psnr)")
    parser.add_argument("--clip", type=float, default=5.0, help="norm that gradients are clipped to (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads (default: 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with safe_open(options.weights, framework="pt") as file:
        size = json.loads(file.metadata()["network"])
        network = Twin(**{name: size[name] for name in ("widths", "encoder", "decoder", "reach", "steps")})
        network.load(file)
    network = network.to(memory_format=torch.channels_last)
    frames, clip, rgb, rates = read(options.batch)
    optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))

    def step(rate: float) -> float:
        carry, loss = network.start(frames[0]), 0.0
        for frame, ahead, truth in zip(frames, frames[1:], clip):
            carry = network(carry, frame, ahead)
            difference = torch.einsum("ij,bjhw->bihw", rgb, carry.result - truth)
            loss = loss + LOSSES[options.loss](difference) / len(clip)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        return loss.item()

    losses, seconds = [], []
    for rate in rates:
        begun = time.perf_counter()
        losses.append(step(rate))
        seconds.append(time.perf_counter() - begun)
    parameters = sum(leaf.numel() for leaf in network.parameters())
    print(json.dumps({"parameters": parameters, "losses": losses, "seconds": seconds}))


if __name__ == "__main__":
    main()
