"""The network's twin in PyTorch: the same layers, recurrence and motion, to compare a training step with.

    python -m peers.twin --size base --frames 5 --batch 4 --patch 96 --steps 20

Prints its parameters and the seconds of each training step (forward, backward, Adam), channels last, on the CPU.
"""

import argparse
import itertools
import json
import time

import torch
import torch.nn.functional as F
from torch import nn

SIZES = {
    "base": {"widths": (32, 64, 96), "encoder": (0, 0, 0), "decoder": (3, 1, 1), "reach": (1, 1, 3)},
    "fast": {"widths": (16, 32, 64), "encoder": (0, 0, 1), "decoder": (1, 1, 1), "reach": (1, 3, 3)},
}
INPUTS = 52
GRID = 4
"""Pixels a velocity stands for each way."""


def conv(i: int, o: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(i, o, size, padding=size // 2)


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)

    def forward(self, x):
        return x + self.second(F.relu(self.first(x)))


class Recurrence(nn.Module):
    def __init__(self, width: int, reach: int):
        super().__init__()
        self.input, self.gate, self.recur = conv(width, 2 * width, 1), conv(width, width, 1), conv(width, width, reach)

    def forward(self, e, moved):
        new, keep = self.input(e).chunk(2, dim=1)
        gate = torch.sigmoid(keep + self.gate(moved))
        return moved + gate * (torch.tanh(new + self.recur(moved)) - moved)


class Twin(nn.Module):
    """One frame: b c h w tensors, the finest level on the half-size grid."""

    def __init__(self, widths, encoder, decoder, reach):
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.widths = widths
        self.stem = conv(INPUTS, widths[0])
        self.down = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.encoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(n))) for w, n in zip(widths, encoder))
        self.recurrence = nn.ModuleList(Recurrence(w, r) for w, r in zip(widths, reach))
        self.inject = conv(12, widths[0], 1)
        self.restrict = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.up = nn.ModuleList(conv(o, 4 * i, 1) for i, o in pairs)
        self.decoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(n))) for w, n in zip(widths, decoder))
        self.out, self.through, self.mean = conv(widths[0], 24), conv(widths[0], 12, 1), conv(12, 12)

    def forward(self, hidden, result, trust, frame, ahead, velocity):
        """The next hidden states, result and trust; frame and ahead hold 3 values, 3 of known, 3 of sigma a pixel."""
        u, known, sigma = (F.pixel_unshuffle(part, 2) for part in frame.split(3, dim=1))
        hidden = [nearest(h, velocity[:, :2], 2 << level) for level, h in enumerate(hidden)]
        moved = bilinear(torch.cat([result, trust], dim=1).detach(), velocity[:, :2])
        last = F.pixel_unshuffle(moved[:, :3], 2)
        beyond = nearest(ahead[:, :5], velocity[:, 2:], 1)
        following = F.pixel_unshuffle(beyond[:, :3], 2)
        pair = known[:, :8]
        means = [F.avg_pool2d(part, 2) for part in (frame[:, 6:8], moved[:, 3:], beyond[:, 3:])]
        distance = torch.ones_like(means[0])
        inputs = [u - 0.5, last - 0.5, following - 0.5, pair, *means, distance]
        e, features = F.relu(self.stem(torch.cat(inputs, dim=1))), []
        for level, blocks in enumerate(self.encoder):
            e = blocks(e if level == 0 else F.relu(self.down[level - 1](F.pixel_unshuffle(e, 2))))
            features.append(e)
        hidden = [cell(e, h) for cell, e, h in zip(self.recurrence, features, hidden)]
        legs = [self.inject(u - 0.5)]
        for mix in self.restrict:
            legs.append(F.relu(mix(F.pixel_unshuffle(F.relu(legs[-1]), 2))))
        y = None
        for level in reversed(range(len(legs))):
            x = legs[level] + features[level] + hidden[level]
            y = self.decoder[level](x if y is None else x + F.pixel_shuffle(self.up[level](y), 2))
        out = self.out(F.relu(y))
        gates = torch.sigmoid(out[:, 12:] - 2)
        last_gate, ahead_gate, around_gate = gates.split(4, dim=1)
        mean = self.mean(u - 0.5) + 0.5
        for gate, other in ((around_gate, mean), (last_gate, last), (ahead_gate, following)):
            u = u + gate.repeat(1, 3, 1, 1) * (other - u)
        z = F.pixel_shuffle(u + (sigma + 0.005) * (out[:, :12] + self.through(y)), 2)
        exact = frame[:, 3:6] * (frame[:, 6:] == 0)
        trust = torch.maximum(frame[:, 3:5], 0.97 * moved[:, 3:])
        return hidden, z + exact * (frame[:, :3] - z), trust


def places(velocity, factor: int, height: int, width: int):
    """Where each point of a grid one in `factor` pixels comes from, in its own units."""
    if factor < GRID:
        velocity = F.interpolate(velocity, scale_factor=GRID // factor) / factor
    else:
        velocity = (F.avg_pool2d(velocity, factor // GRID) if factor > GRID else velocity) / factor
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return x + velocity[:, 0], y + velocity[:, 1]


def nearest(image, velocity, factor: int):
    batch, channels, height, width = image.shape
    x, y = places(velocity, factor, height, width)
    inside = ((x > -1) & (x < width) & (y > -1) & (y < height)).unsqueeze(1)
    index = y.round().clamp(0, height - 1).long() * width + x.round().clamp(0, width - 1).long()
    index = index + (torch.arange(batch) * (height * width)).view(-1, 1, 1)
    rows = image.permute(0, 2, 3, 1).reshape(-1, channels)
    return rows[index.flatten()].view(batch, height, width, channels).permute(0, 3, 1, 2) * inside


def bilinear(image, velocity):
    _, _, height, width = image.shape
    x, y = places(velocity, 1, height, width)
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base", choices=SIZES)
    for name, usual in (("frames", 5), ("batch", 4), ("patch", 96), ("steps", 20), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = Twin(**SIZES[options.size]).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    b, p = options.batch, options.patch
    truth = torch.rand(options.frames, b, 3, p, p)
    frames = torch.cat([truth, torch.ones_like(truth), torch.full_like(truth, 0.1)], dim=2)
    frames = [frame.to(memory_format=torch.channels_last) for frame in frames]
    velocity = torch.full((b, 4, p // GRID, p // GRID), 0.7)

    def step() -> None:
        hidden = [torch.zeros(b, w, p >> (n + 1), p >> (n + 1)) for n, w in enumerate(network.widths)]
        hidden = [h.to(memory_format=torch.channels_last) for h in hidden]
        result, trust, loss = torch.full((b, 3, p, p), 0.5), torch.zeros(b, 2, p, p), 0.0
        for n, frame in enumerate(frames):
            ahead = frames[min(n + 1, len(frames) - 1)]
            hidden, result, trust = network(hidden, result, trust, frame, ahead, velocity)
            loss = loss + torch.sqrt((result - truth[n]) ** 2 + 1e-6).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    seconds = []
    for _ in range(options.steps + 3):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    parameters = sum(leaf.numel() for leaf in network.parameters())
    print(json.dumps({"parameters": parameters, "seconds": seconds[3:]}))


if __name__ == "__main__":
    main()
