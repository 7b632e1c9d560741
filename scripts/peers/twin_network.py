"""The network and the motion of the package in PyTorch: a peer that computes the same function."""

import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

GRID = 4
"""Pixels a velocity stands for each way."""
UNSHUFFLED_INPUTS = {"stem": (12, 12, 12, 8), "down": None, "inject": None, "restrict": None}
"""Channels of each unshuffled image among a layer's inputs; None: all are one image."""
UNSHUFFLED_OUTPUTS = {"up": None, "out": (12, 8, 8, 8), "through": None, "conduct": None, "spread": None}


def conv(i: int, o: int, size: int = 3, **options) -> nn.Conv2d:
    return nn.Conv2d(i, o, size, padding=size // 2, **options)


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


class Frame(NamedTuple):
    """What is known of a frame: b c h w; time is b."""

    values: torch.Tensor
    known: torch.Tensor
    sigma: torch.Tensor
    velocity: torch.Tensor
    time: torch.Tensor


class Carry(NamedTuple):
    hidden: list
    result: torch.Tensor
    trust: torch.Tensor
    time: torch.Tensor


class Twin(nn.Module):
    """One frame: b c h w tensors, the finest level on the half-size grid."""

    def __init__(self, widths, encoder, decoder, reach, steps):
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.widths, self.steps = widths, steps
        self.stem = conv(52, widths[0])
        self.down = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.encoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(n))) for w, n in zip(widths, encoder))
        self.recurrence = nn.ModuleList(Recurrence(w, r) for w, r in zip(widths, reach))
        self.inject = conv(12, widths[0], 1)
        self.restrict = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.up = nn.ModuleList(conv(o, 4 * i, 1) for i, o in pairs)
        self.decoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(n))) for w, n in zip(widths, decoder))
        self.out, self.through = conv(widths[0], 36), conv(widths[0], 12, 1)
        self.conduct = nn.ModuleList(conv(w, 8, 1) for w in widths[1:])
        self.spread = nn.ModuleList(conv(3, 12, padding_mode="replicate") for _ in widths)

    def start(self, frame: Frame) -> Carry:
        b, _, height, width = frame.values.shape
        hidden = [torch.zeros(b, w, height >> n, width >> n) for n, w in enumerate(self.widths, 1)]
        hidden = [h.to(memory_format=torch.channels_last) for h in hidden]
        result, trust = torch.full((b, 3, height, width), 0.5), torch.zeros(b, 2, height, width)
        return Carry(hidden, result, trust, torch.full((b,), -1.0))

    def forward(self, carry: Carry, frame: Frame, ahead: Frame) -> Carry:
        back, forth = frame.velocity.split(2, dim=1)
        hidden = [move(h, back, 2 << level) for level, h in enumerate(carry.hidden)]
        x, y, inside = sources(back)
        last = F.pixel_unshuffle(bilinear(carry.result.detach(), *pixels(x, y)), 2)
        last_trust = F.pixel_unshuffle(nearest(carry.trust.detach(), *pixels(x.round(), y.round())), 2) * inside
        x, y, inside = sources(forth)
        beyond = nearest(torch.cat([ahead.values, ahead.known[:, :2]], dim=1), *pixels(x.round(), y.round()))
        following, trust = F.pixel_unshuffle(beyond[:, :3], 2), F.pixel_unshuffle(beyond[:, 3:], 2) * inside
        u, sigma, exact = (F.pixel_unshuffle(x, 2) for x in (frame.values, frame.sigma, (frame.sigma == 0).float()))
        following = u + to_channels(trust) * (following - u)

        distance = [
            (frame.time - carry.time).clamp(0, 8) * (last_trust.amax(dim=(1, 2, 3)) > 0),
            (ahead.time - frame.time).clamp(0, 8) * (ahead.known.amax(dim=(1, 2, 3)) > 0),
        ]
        distance = torch.stack(distance, dim=1)[:, :, None, None].expand(-1, -1, *u.shape[2:])
        means = [10 * block_mean(sigma[:, :8]), block_mean(last_trust), block_mean(trust)]
        images = [u - 0.5, last - 0.5, following - 0.5]
        features = self.encode(torch.cat([*images, torch.ones_like(trust), *means, distance], dim=1))
        hidden = [cell(e, h) for cell, e, h in zip(self.recurrence, features, hidden)]

        z = u
        for _ in range(self.steps):
            residual, gates, mean = self.correct(z - 0.5, hidden, features)
            for gate, other in zip(gates, (mean + 0.5, last, following)):
                z = z + to_channels(gate) * (other - z)
            z = z + (sigma + 0.005) * residual
            z = z + exact * (u - z)
        return Carry(hidden, F.pixel_shuffle(z, 2), torch.ones_like(carry.trust), frame.time)

    def encode(self, x) -> list:
        e, features = F.relu(self.stem(x)), []
        for level, blocks in enumerate(self.encoder):
            e = blocks(e if level == 0 else F.relu(self.down[level - 1](F.pixel_unshuffle(e, 2))))
            features.append(e)
        return features

    def correct(self, z, hidden: list, features: list):
        """The residual, the gates of the surroundings, the last frame and the next, and the surroundings' mean."""
        legs, images = [self.inject(z)], [z]
        for mix in self.restrict:
            legs.append(F.relu(mix(F.pixel_unshuffle(F.relu(legs[-1]), 2))))
            images.append(F.pixel_unshuffle(block_mean(images[-1]), 2))
        y, coarse = None, block_mean(images[-1])
        for level in reversed(range(len(legs))):
            x = legs[level] + features[level] + hidden[level]
            y = self.decoder[level](x if y is None else x + F.pixel_shuffle(self.up[level](y), 2))
            mean = self.spread[level](coarse)
            if level > 0:
                gate = to_channels(torch.sigmoid(self.conduct[level - 1](y)))
                coarse = F.pixel_shuffle(images[level] + gate * (mean - images[level]), 2)
        out = self.out(F.relu(y))
        last, ahead, around = torch.sigmoid(out[:, 12:] - 2).chunk(3, dim=1)
        return out[:, :12] + self.through(y), (around, last, ahead), mean

    def load(self, file) -> None:
        """Takes the package's weights, whose unshuffled images have a pixel's channels side by side."""
        state = {}
        for name in file.keys():  # noqa: SIM118
            layer, tensor = name.split(".")[0], file.get_tensor(name)
            if name.endswith("kernel"):
                tensor = tensor.permute(3, 2, 0, 1)
                tensor = tensor[:, order(tensor.shape[1], UNSHUFFLED_INPUTS.get(layer, ()))]
            tensor = tensor[order(len(tensor), UNSHUFFLED_OUTPUTS.get(layer, ()))]
            state[name.replace(".mix", "").replace("kernel", "weight")] = tensor
        self.load_state_dict(state)


def order(channels: int, images: tuple[int, ...] | None) -> torch.Tensor:
    """Where each channel of unshuffled images, and of what follows them, lies in the package's order."""
    places, start = torch.arange(channels), 0
    for size in (channels,) if images is None else images:
        places[start : start + size] = places[start : start + size].view(4, size // 4).T.flatten()
        start += size
    return places


def block_mean(x):
    """The mean over a block's four pixels."""
    return x.unflatten(1, (-1, 4)).mean(dim=2)


def to_channels(pair):
    """What is said of luma and chroma to the three channels."""
    return torch.cat([pair, pair[:, 4:]], dim=1)


def places(velocity, factor: int, spacing: int):
    """Where each point of a grid one in `factor` pixels comes from, points being `spacing` apart."""
    velocity = F.interpolate(velocity, scale_factor=GRID / factor) if factor < GRID else velocity
    velocity = F.avg_pool2d(velocity, factor // GRID) if factor > GRID else velocity
    x, y = (velocity * (spacing / factor)).unbind(dim=1)
    return x + spacing * torch.arange(x.shape[2]), y + spacing * torch.arange(x.shape[1])[:, None]


def move(image, velocity, factor: int):
    height, width = image.shape[2:]
    x, y = places(velocity, factor, 1)
    inside = ((x > -1) & (x < width) & (y > -1) & (y < height)).unsqueeze(1)
    return nearest(image, x.round().clamp(0, width - 1), y.round().clamp(0, height - 1)) * inside


def sources(velocity):
    """Where each 2×2 block of pixels comes from, within the frame, and whether all of it lies inside."""
    x, y = places(velocity, 2, 2)
    height, width = 2 * x.shape[1], 2 * x.shape[2]
    inside = ((x > -1) & (x < width - 1) & (y > -1) & (y < height - 1)).unsqueeze(1)
    return x.clamp(0, width - 2), y.clamp(0, height - 2), inside


def pixels(x, y):
    """Where each pixel of the blocks comes from."""
    columns, rows = torch.stack([x, x + 1, x, x + 1], dim=1), torch.stack([y, y, y + 1, y + 1], dim=1)
    return F.pixel_shuffle(columns, 2)[:, 0], F.pixel_shuffle(rows, 2)[:, 0]


def nearest(image, x, y):
    batch, channels, height, width = image.shape
    index = y.long() * width + x.long() + (torch.arange(batch) * (height * width)).view(-1, 1, 1)
    rows = image.permute(0, 2, 3, 1).reshape(-1, channels)
    return rows[index.flatten()].view(batch, height, width, channels).permute(0, 3, 1, 2)


def bilinear(image, x, y):
    height, width = image.shape[2:]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=True)
