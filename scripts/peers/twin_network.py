"""The twin: the package's network and its motion compensation in PyTorch. Images are `b c h w`."""

import itertools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

GRID = 4
"""A velocity stands for a block of 4×4 pixels."""
UNSHUFFLED_INPUTS = {"stem": (12, 12, 12, 8), "down": None, "inject": None, "restrict": None}
"""Layers whose inputs are pixel-unshuffled images: the channels of each image, or None if all are one image."""
UNSHUFFLED_OUTPUTS = {"up": None, "out": (12, 8, 8, 8), "through": None, "conduct": None, "enlarge": None}
"""The same for their outputs."""


def conv(i: int, o: int, size: int = 3, **options: str) -> nn.Conv2d:
    """A convolution from `i` to `o` channels that keeps the size of its input."""
    return nn.Conv2d(i, o, size, padding=size // 2, **options)


class Residual(nn.Module):
    """Two convolutions whose result is added to the input."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.first, self.second = conv(width, inner), conv(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class Recurrence(nn.Module):
    """The gated recurrence of one level."""

    def __init__(self, width: int, reach: int):
        super().__init__()
        self.input, self.gate, self.recur = conv(width, 2 * width, 1), conv(width, width, 1), conv(width, width, reach)

    def forward(self, e: Tensor, moved: Tensor) -> Tensor:
        new, keep = self.input(e).chunk(2, dim=1)
        gate = torch.sigmoid(keep + self.gate(moved))
        return moved + gate * (torch.tanh(new + self.recur(moved)) - moved)


class Frame(NamedTuple):
    """The observation of a frame, `b c h w`; time is `b`."""

    values: Tensor
    known: Tensor
    sigma: Tensor
    velocity: Tensor
    time: Tensor


class Carry(NamedTuple):
    """What is handed on from frame to frame."""

    hidden: list
    result: Tensor
    confidence: Tensor
    time: Tensor


class Twin(nn.Module):
    """Restores one frame; its finest level works on the half-size grid."""

    def __init__(
        self, widths: list[int], encoder: list[list[int]], decoder: list[list[int]], reach: list[int], steps: int
    ):
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.widths, self.steps = widths, steps
        self.stem = conv(52, widths[0])
        self.down = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(Residual(w, inner) for inner in blocks)) for w, blocks in zip(widths, encoder)
        )
        self.recurrence = nn.ModuleList(Recurrence(w, r) for w, r in zip(widths, reach))
        self.inject = conv(12, widths[0], 1)
        self.restrict = nn.ModuleList(conv(4 * i, o, 1) for i, o in pairs)
        self.up = nn.ModuleList(conv(o, 4 * i, 1) for i, o in pairs)
        self.decoder = nn.ModuleList(
            nn.Sequential(*(Residual(w, inner) for inner in blocks)) for w, blocks in zip(widths, decoder)
        )
        self.out, self.through = conv(widths[0], 36), conv(widths[0], 12, 1)
        self.conduct = nn.ModuleList(conv(w, 8, 1) for w in widths[1:])
        self.enlarge = nn.ModuleList(conv(3, 12, padding_mode="replicate") for _ in widths)

    def start(self, frame: Frame) -> Carry:
        """The carry before the first frame."""
        b, _, height, width = frame.values.shape
        hidden = [torch.zeros(b, w, height >> n, width >> n) for n, w in enumerate(self.widths, 1)]
        hidden = [h.to(memory_format=torch.channels_last) for h in hidden]
        result, confidence = torch.full((b, 3, height, width), 0.5), torch.zeros(b, 2, height, width)
        return Carry(hidden, result, confidence, torch.full((b,), -1.0))

    def forward(self, carry: Carry, frame: Frame, ahead: Frame) -> Carry:
        back, forth = frame.velocity.split(2, dim=1)
        hidden = [move(h, back, 2 << level) for level, h in enumerate(carry.hidden)]
        x, y, inside = sources(back)
        previous = F.pixel_unshuffle(bilinear(carry.result.detach(), *pixels(x, y)), 2)
        previous_confidence = (
            F.pixel_unshuffle(nearest(carry.confidence.detach(), *pixels(x.round(), y.round())), 2) * inside
        )
        x, y, inside = sources(forth)
        beyond = nearest(torch.cat([ahead.values, ahead.known[:, :2]], dim=1), *pixels(x.round(), y.round()))
        following, confidence = F.pixel_unshuffle(beyond[:, :3], 2), F.pixel_unshuffle(beyond[:, 3:], 2) * inside
        u, sigma, exact = (F.pixel_unshuffle(x, 2) for x in (frame.values, frame.sigma, (frame.sigma == 0).float()))
        following = u + to_channels(confidence) * (following - u)

        distance = [
            (frame.time - carry.time).clamp(0, 8) * (previous_confidence.amax(dim=(1, 2, 3)) > 0),
            (ahead.time - frame.time).clamp(0, 8) * (ahead.known.amax(dim=(1, 2, 3)) > 0),
        ]
        distance = torch.stack(distance, dim=1)[:, :, None, None].expand(-1, -1, *u.shape[2:])
        means = [10 * block_mean(sigma[:, :8]), block_mean(previous_confidence), block_mean(confidence)]
        images = [u - 0.5, previous - 0.5, following - 0.5]
        features = self.encode(torch.cat([*images, torch.ones_like(confidence), *means, distance], dim=1))
        hidden = [cell(e, h) for cell, e, h in zip(self.recurrence, features, hidden)]

        z = u
        for _ in range(self.steps):
            residual, gates, mean = self.correct(z - 0.5, hidden, features)
            for gate, other in zip(gates, (mean + 0.5, previous, following)):
                z = z + to_channels(gate) * (other - z)
            z = z + (sigma + 0.005) * residual
            z = z + exact * (u - z)
        return Carry(hidden, F.pixel_shuffle(z, 2), torch.ones_like(carry.confidence), frame.time)

    def encode(self, x: Tensor) -> list[Tensor]:
        """The features of each level, finest first."""
        e, features = F.relu(self.stem(x)), []
        for level, blocks in enumerate(self.encoder):
            e = blocks(e if level == 0 else F.relu(self.down[level - 1](F.pixel_unshuffle(e, 2))))
            features.append(e)
        return features

    def correct(
        self, z: Tensor, hidden: list[Tensor], features: list[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """One V-cycle.

        Returns:
          The residual; the gates towards the neighbourhood, the previous and the next frame; the neighbourhood's mean.
        """
        legs, images = [self.inject(z)], [z]
        for mix in self.restrict:
            legs.append(F.relu(mix(F.pixel_unshuffle(F.relu(legs[-1]), 2))))
            images.append(F.pixel_unshuffle(block_mean(images[-1]), 2))
        y, coarse = None, block_mean(images[-1])
        for level in reversed(range(len(legs))):
            x = legs[level] + features[level] + hidden[level]
            y = self.decoder[level](x if y is None else x + F.pixel_shuffle(self.up[level](y), 2))
            mean = self.enlarge[level](coarse)
            if level > 0:
                gate = to_channels(torch.sigmoid(self.conduct[level - 1](y)))
                coarse = F.pixel_shuffle(images[level] + gate * (mean - images[level]), 2)
        out = self.out(F.relu(y))
        previous, ahead, around = torch.sigmoid(out[:, 12:] - 2).chunk(3, dim=1)
        return out[:, :12] + self.through(y), (around, previous, ahead), mean

    def load(self, file: safe_open) -> None:
        """Takes the package's weights, in which the channels of one pixel of an unshuffled image are adjacent."""
        state = {}
        for key in file.keys():  # noqa: SIM118
            name, tensor = key.replace("spread.", "enlarge."), file.get_tensor(key)  # as they were called once
            layer = name.split(".")[0]
            if name.endswith("kernel"):
                tensor = tensor.permute(3, 2, 0, 1)
                tensor = tensor[:, order(tensor.shape[1], UNSHUFFLED_INPUTS.get(layer, ()))]
            tensor = tensor[order(len(tensor), UNSHUFFLED_OUTPUTS.get(layer, ()))]
            state[name.replace(".mix", "").replace("kernel", "weight")] = tensor
        self.load_state_dict(state)


def order(channels: int, images: tuple[int, ...] | None) -> Tensor:
    """For each channel here, its place in the package's order. Channels after the unshuffled images stay in place."""
    places, start = torch.arange(channels), 0
    for size in (channels,) if images is None else images:
        places[start : start + size] = places[start : start + size].view(4, size // 4).T.flatten()
        start += size
    return places


def block_mean(x: Tensor) -> Tensor:
    """The mean over the four pixels of a block."""
    return x.unflatten(1, (-1, 4)).mean(dim=2)


def to_channels(pair: Tensor) -> Tensor:
    """From values for luma and for chroma to values for Y', Cb and Cr."""
    return torch.cat([pair, pair[:, 4:]], dim=1)


def places(velocity: Tensor, factor: int, spacing: int) -> tuple[Tensor, Tensor]:
    """The source (x, y) of each point of a grid, one every `factor` pixels, in units of `factor / spacing` pixels."""
    velocity = F.interpolate(velocity, scale_factor=GRID / factor) if factor < GRID else velocity
    velocity = F.avg_pool2d(velocity, factor // GRID) if factor > GRID else velocity
    x, y = (velocity * (spacing / factor)).unbind(dim=1)
    return x + spacing * torch.arange(x.shape[2]), y + spacing * torch.arange(x.shape[1])[:, None]


def move(image: Tensor, velocity: Tensor, factor: int) -> Tensor:
    """An image on a grid of `factor` pixels moved along the velocity, to the nearest sample; 0 from outside."""
    height, width = image.shape[2:]
    x, y = places(velocity, factor, 1)
    inside = ((x > -1) & (x < width) & (y > -1) & (y < height)).unsqueeze(1)
    return nearest(image, x.round().clamp(0, width - 1), y.round().clamp(0, height - 1)) * inside


def sources(velocity: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The source (x, y) of each 2×2 block of pixels, clamped to the frame, and whether the whole block lies inside."""
    x, y = places(velocity, 2, 2)
    height, width = 2 * x.shape[1], 2 * x.shape[2]
    inside = ((x > -1) & (x < width - 1) & (y > -1) & (y < height - 1)).unsqueeze(1)
    return x.clamp(0, width - 2), y.clamp(0, height - 2), inside


def pixels(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The source (x, y) of each pixel, from those of the blocks."""
    columns, rows = torch.stack([x, x + 1, x, x + 1], dim=1), torch.stack([y, y, y + 1, y + 1], dim=1)
    return F.pixel_shuffle(columns, 2)[:, 0], F.pixel_shuffle(rows, 2)[:, 0]


def nearest(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The image at whole positions."""
    batch, channels, height, width = image.shape
    index = y.long() * width + x.long() + (torch.arange(batch) * (height * width)).view(-1, 1, 1)
    rows = image.permute(0, 2, 3, 1).reshape(-1, channels)
    return rows[index.flatten()].view(batch, height, width, channels).permute(0, 3, 1, 2)


def bilinear(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The image at positions between pixels, by bilinear interpolation."""
    height, width = image.shape[2:]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=True)
