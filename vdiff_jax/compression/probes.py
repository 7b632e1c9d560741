"""Probes: samples that predict the size and quality of a track before it is encoded."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.compression.attachment_choice import AttachmentChoice, choose_attachment, choose_for_samples
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.track import Track, Variant, smaller_variants
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.errors import FormatError
from vdiff_jax.media import Vmaf
from vdiff_jax.pixels import Frame, PixelFormat

_LEAST_GAIN = 0.1
"""A variant must be better than another by this many dB of luma's PSNR to replace it."""
_PIXELS_EXPONENT = 0.75
"""At the same crf a picture's bytes grow with about this power of its pixels."""
_HALF_RATE_OCTAVES = 0.4
"""At the same crf the bytes fall by about this many octaves if every second frame is left out."""
_MOST_GAIN = 2.0
"""At most this many dB are gained by coding another variant's frames more finely in the same bytes."""
_HALF_RATE_PSNR = 29.0
"""Above this luma PSNR in dB half rate is not tried: on three scenes it was better only below it."""
_MEASURING = 0.3
"""Seconds, roughly, to restore a million pixels and to measure VMAF before and after."""
_TRIES = 4
_SIZE_TOLERANCE = 0.03
"""A search for a size accepts a size that is smaller by up to this many octaves (factors of 2)."""


class Probe(NamedTuple):
    """The predicted size and quality of a track.

    Attributes:
      variant: what it keeps of its source.
      crf: the encoder's.
      size: its bytes.
      psnr: of luma, in dB.
      vmaf: None where it was not measured.
    """

    variant: Variant
    crf: float
    size: int
    psnr: float
    vmaf: float | None

    def beats(self, other: "Probe") -> bool:
        """Whether it is clearly better in PSNR, no worse in VMAF and no larger."""
        if self.vmaf is not None and other.vmaf is not None and self.vmaf < other.vmaf:
            return False
        return self.size <= other.size and self.psnr >= other.psnr + _LEAST_GAIN

    def as_report(self) -> dict[str, Any]:
        """As JSON."""
        variant = {**self.variant.as_report(), "crf": self.crf, "bytes": self.size}
        return {**variant, "psnr_y": round(self.psnr, 3), "vmaf": self.vmaf and round(self.vmaf, 2)}


class Quality(NamedTuple):
    """The samples' mean VMAF.

    Attributes:
      expected: of what `decompress` will give.
      track: of the track without restoration.
      frames: how many frames were measured.
    """

    expected: float
    track: float
    frames: int

    def as_report(self) -> dict[str, float | int]:
        """As JSON."""
        return {"expected": round(self.expected, 2), "track": round(self.track, 2), "sampled_frames": self.frames}


class Prober:
    """Probes tracks of one source.

    Args:
      encoder: the encoder.
      vmaf: None leaves VMAF out.
    """

    def __init__(self, encoder: TrackEncoder, vmaf: Vmaf | None):
        self._encoder, self._vmaf = encoder, vmaf
        self._choices: dict[Path, AttachmentChoice] = {}
        self._needs_vmaf = encoder.settings.target_vmaf is not None
        self.probe = functools.cache(self._probe)

    def smaller(self) -> list[Variant]:
        """The variants with fewer pixels that may be probed."""
        return smaller_variants(self._encoder.source.info)

    def half_rate(self, crf: float, variant: Variant) -> list[Variant]:
        """The same variant at half rate, or none if frames can't be interpolated or the video is coded too finely."""
        possible = self._encoder.settings.interpolation_weights is not None
        possible = possible and not self._encoder.source.info.interlaced
        if not possible or self.probe(crf, variant).psnr > _HALF_RATE_PSNR:
            return []
        return [variant._replace(half_rate=True)]

    def _probe(self, crf: float, variant: Variant) -> Probe:
        """A probe from separately encoded samples; these are restored, and VMAF is measured, only for a target VMAF."""
        samples, size = self._encoder.sampler.encoded(crf, variant)
        if self._needs_vmaf:
            return self._restored(choose_for_samples(self._encoder, samples, size, variant), crf)
        return Probe(variant, crf, size, self._psnr(samples, _decoded(samples), variant), None)

    def probe_track(self, track: Track) -> Probe:
        """A probe from samples of an encoded track, restored, with their VMAF."""
        return self._restored(self.attachment_for(track), track.crf)

    def attachment_for(self, track: Track) -> AttachmentChoice:
        """The best attachment without a network for an encoded track; it is fitted once."""
        if track.path not in self._choices:
            self._choices[track.path] = choose_attachment(self._encoder, track)
        return self._choices[track.path]

    def could_beat(self, variant: Variant, other: Probe) -> bool:
        """Whether a variant could be better than a probe in the same bytes.

        Its PSNR without coding error, at most `_MOST_GAIN` above the probe's, must exceed the probe's.
        """
        uncoded = self._encoder.sampler.not_encoded(variant)
        return self._psnr(uncoded, _decoded(uncoded), variant, most=other.psnr + _MOST_GAIN) > other.psnr

    def probe_same_size(self, other: Probe, variant: Variant) -> Probe:
        """A probe of a variant with as many bytes as another probe or slightly fewer; more if no such crf is found."""
        codec = self._encoder.settings.codec
        octaves = _PIXELS_EXPONENT * float(np.log2(np.prod(variant.shape) / np.prod(other.variant.shape)))
        crf = codec.coarser(other.crf, octaves - _HALF_RATE_OCTAVES * (variant.half_rate - other.variant.half_rate))
        excess: dict[float, float] = {}
        for _ in range(_TRIES):
            excess[crf] = float(np.log2(self._encoder.sampler.encoded(crf, variant)[1] / other.size))
            if -_SIZE_TOLERANCE <= excess[crf] <= 0:
                break
            crf = codec.coarser(crf, excess[crf])
            if crf in excess:
                break
        return self.probe(min((crf for crf, octaves in excess.items() if octaves <= 0), default=max(excess)), variant)

    def quality_if_time(self, choice: AttachmentChoice, budget: Budget) -> Quality | None:
        """The samples' VMAF; None if there is no time to measure it, or no libvmaf that takes these frames."""
        samples = [*choice.loop.samples, *choice.loop.more]
        megapixels = sum(len(sample.decoded) for sample in samples) * np.prod(self._encoder.shape) / 1e6
        if self._vmaf is None or not budget.allows(_MEASURING * float(megapixels), "measuring VMAF"):
            return None
        try:
            return measure_quality(self._encoder, choice, self._vmaf)
        except FormatError:
            return None

    def _restored(self, choice: AttachmentChoice, crf: float) -> Probe:
        """The probe of samples after the Wiener step, with their VMAF if it can be measured.

        Raises:
          FormatError: libvmaf refuses the frames, and a VMAF is the target.
        """
        vmaf = None
        try:
            vmaf = self._vmaf and keep_if_vmaf_rises(self._encoder, choice, self._vmaf)[1].expected
        except FormatError:
            if self._needs_vmaf:
                raise
        psnr = self._psnr(choice.loop.samples, choice.loop.shown(choice.attachment), choice.variant)
        return Probe(choice.variant, crf, choice.track_size, psnr, vmaf)

    def _psnr(
        self, samples: Sequence[Sample], shown: list[list[Frame]], variant: Variant, most: float = np.inf
    ) -> float:
        whole = self._encoder.sampler.with_all_frames(samples, shown, variant)
        return luma_psnr(whole, self._encoder.coded.pixels, most)


def _decoded(samples: Sequence[Sample]) -> list[list[Frame]]:
    return [sample.decoded for sample in samples]


def keep_if_vmaf_rises(encoder: TrackEncoder, choice: AttachmentChoice, vmaf: Vmaf) -> tuple[AttachmentChoice, Quality]:
    """The choice, or the same without restoration if that has the higher VMAF; and the samples' quality."""
    quality = measure_quality(encoder, choice, vmaf)
    if quality.expected < quality.track:
        return choice.without_restoration(), quality._replace(expected=quality.track)
    return choice, quality


def measure_quality(encoder: TrackEncoder, choice: AttachmentChoice, vmaf: Vmaf) -> Quality:
    """The samples' VMAF with a choice and without restoration.

    Raises:
      FormatError: libvmaf refuses the frames.
    """
    loop = choice.loop

    def whole(samples: Sequence[Sample], shown: list[list[Frame]]) -> list[Sample]:
        return encoder.sampler.with_all_frames(samples, shown, choice.variant)

    every = [*loop.samples, *loop.more]
    plain = whole(every, _decoded(every))
    track = mean_vmaf(plain, loop.pixels, vmaf)
    count = sum(len(sample.decoded[sample.measured]) for sample in plain)
    if choice.attachment.wiener is None:
        return Quality(track, track, count)
    # Only of the samples that the network was run on is it known what restoration gains.
    before = mean_vmaf(whole(loop.samples, _decoded(loop.samples)), loop.pixels, vmaf) if loop.more else track
    after = mean_vmaf(whole(loop.samples, loop.shown(choice.attachment)), loop.pixels, vmaf)
    return Quality(track + after - before, track, count)


def luma_psnr(samples: Sequence[Sample], pixels: PixelFormat, most: float = np.inf) -> float:
    """The mean PSNR in dB of the measured frames' luma; a frame counts as `most` at most."""
    scores = []
    for sample in samples:
        for truth, frame in zip(sample.source[sample.measured], sample.decoded[sample.measured]):
            error = np.mean((truth.planes[0].astype(np.float32) - frame.planes[0]) ** 2, dtype=np.float64)
            scores.append(min(10 * np.log10(pixels.peak**2 / max(float(error), 1e-3)), most))
    return float(np.mean(scores))


def mean_vmaf(samples: Sequence[Sample], pixels: PixelFormat, vmaf: Vmaf) -> float:
    """The mean VMAF of the measured frames.

    All samples are measured as one video. A cut between two of them changes little: VMAF's motion feature takes the
    smaller one of a frame's differences to its two neighbours.
    """
    truth = [frame for sample in samples for frame in sample.source]
    scores = vmaf([frame for sample in samples for frame in sample.decoded], truth, pixels)
    ends = np.cumsum([len(sample.source) for sample in samples])[:-1]
    runs = zip(np.split(scores, ends), samples)
    return float(np.mean(np.concatenate([run[sample.measured] for run, sample in runs])))
