"""How good samples are as they will be shown."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vdiff_jax.compression.attachment_choice import Decision
from vdiff_jax.compression.samples import Piece
from vdiff_jax.compression.track_encoder import Encoder
from vdiff_jax.media import Vmaf
from vdiff_jax.pixels import PixelFormat


class Quality(NamedTuple):
    """Mean VMAF of the samples: of what `decompress` gives, of the track alone, over so many frames."""

    expected: float
    track: float
    frames: int

    def as_report(self) -> dict[str, float | int]:
        return {"expected": round(self.expected, 2), "track": round(self.track, 2), "sampled_frames": self.frames}


def better(encoder: Encoder, decision: Decision, vmaf: Vmaf) -> tuple[Decision, Quality]:
    """What was decided, by PSNR, or the plain track where that has the higher VMAF; and the samples' quality."""
    rehearsal, form = decision.rehearsal, decision.form
    plain = encoder.excerpts.shown([piece.decoded for piece in rehearsal.pieces], form)
    track, count = mean_vmaf(plain, rehearsal.pixels, vmaf), sum(len(piece.decoded[piece.measured]) for piece in plain)
    if decision.recipe.diffusion is None:
        return decision, Quality(track, track, count)
    expected = mean_vmaf(encoder.excerpts.shown(rehearsal.shown(decision.recipe), form), rehearsal.pixels, vmaf)
    if expected < track:
        return decision.plain(), Quality(track, track, count)
    return decision, Quality(expected, track, count)


def luma_psnr(pieces: Sequence[Piece], pixels: PixelFormat, most: float = np.inf) -> float:
    """Mean PSNR in dB of the measured frames' first plane, none of which counts as more than `most`."""
    scores = []
    for piece in pieces:
        for truth, frame in zip(piece.source[piece.measured], piece.decoded[piece.measured]):
            error = np.mean((truth.planes[0].astype(np.float32) - frame.planes[0]) ** 2, dtype=np.float64)
            scores.append(min(10 * np.log10(pixels.peak**2 / max(float(error), 1e-3)), most))
    return float(np.mean(scores))


def mean_vmaf(pieces: Sequence[Piece], pixels: PixelFormat, vmaf: Vmaf) -> float:
    """All pieces in a row: a cut between two is a frame's, whose motion is the lesser of its two differences."""
    truth = [frame for piece in pieces for frame in piece.source]
    scores = vmaf([frame for piece in pieces for frame in piece.decoded], truth, pixels)
    ends = np.cumsum([len(piece.source) for piece in pieces])[:-1]
    return float(np.mean(np.concatenate([s[piece.measured] for s, piece in zip(np.split(scores, ends), pieces)])))
