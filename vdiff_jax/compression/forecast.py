"""`compress --plan`: what would be done and why, and estimates of the time and of the file's size."""

import logging
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from vdiff_jax import media
from vdiff_jax.compression.attachment_choice import LEAST_PIXELS, fitting_seconds, network_seconds
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.probes import Prober
from vdiff_jax.compression.settings import CONTAINERS, Settings, check_files, make_settings
from vdiff_jax.compression.source import Source, coded_source, open_source
from vdiff_jax.compression.target_quality import probe_variants
from vdiff_jax.compression.track_choice import Cost, most_seconds
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.temporary import temporary_folder

log = logging.getLogger(__name__)


def forecast(
    source: str | Path, target: str | Path, *, rate: Fraction | float | int = 25, **options: Any
) -> dict[str, Any]:
    """What `compress` would do, and its estimated time and size; nothing is written.

    The estimates come from samples of the video, which are encoded into a temporary folder.

    Args:
      source, target, rate: as `compress` takes them.
      options: those of `make_settings`.

    Returns:
      `text`, the plan in words; `plan`, with the encoder's options, the trials that there is time for (`tried`) and
      the others (`not_tried`); `frames`; and the estimates `seconds` (of the plain encoder), `seconds_at_most` (with
      all trials) and `bytes`.

    Raises:
      VdiffError: as `compress`.
    """
    settings = make_settings(**options)
    check_files(source, target)
    opened, coded = coded_source(open_source(source, rate), settings, CONTAINERS[Path(target).suffix.lower()])
    log.info("encoding samples of the video to estimate time and size")
    with temporary_folder() as folder:
        encoder = TrackEncoder(opened, coded, settings, Path(folder), Stopwatch())
        begun = time.monotonic()
        count, plain = encoder.sampler.count, _plain_seconds(encoder)
        crf, size = _crf_and_size(encoder)
        tried, not_tried, most = _trials(encoder, settings, count, plain, begun)
    chosen = {"codec": settings.codec.name, "encoder": settings.codec.encoder, **settings.encoder_options(crf)}
    plan = {**chosen, "adapt": settings.adapt, "tried": tried, "not_tried": not_tried}
    estimates = {"seconds": round(plain, 2), "seconds_at_most": round(most, 2), "bytes": size + _other_bytes(opened)}
    return {"plan": plan, "text": _text(opened, settings, plan), "frames": count, **estimates}


def _plain_seconds(encoder: TrackEncoder) -> float:
    """The plain encoder's time for the whole video: decoding it, and the time of samples divided by their share."""
    sampler, crf = encoder.sampler, encoder.settings.crf
    begun = time.monotonic()
    sampler.encoded(crf)  # the first call also decodes the video
    decoded = time.monotonic()
    sampler.encoded(crf)
    encoding = time.monotonic() - decoded
    return max(decoded - begun - encoding, 0.0) + encoding / sampler.extent(sampler.count).share


def _crf_and_size(encoder: TrackEncoder) -> tuple[float, int]:
    """The crf, or the one that is searched first, and about how many bytes the track has."""
    settings, sampler = encoder.settings, encoder.sampler
    if settings.target_vmaf is not None:
        probes = probe_variants(Prober(encoder, media.Vmaf()), settings.codec, settings.target_vmaf, encoder.whole)
        best = min(probes, key=lambda probe: probe.size)
        return best.crf, best.size
    if settings.bitrate is not None:
        return encoder.sampled_crf(), round(settings.bitrate * sampler.seconds / 8)
    return settings.crf, sampler.encoded(settings.crf)[1]


def _trials(
    encoder: TrackEncoder, settings: Settings, count: int, plain: float, begun: float
) -> tuple[list[str], list[str], float]:
    """The trials that there is time for, the others, and the seconds that all takes at most."""
    always = settings.target_vmaf is not None  # then the variants of the track are probed first, whatever time it takes
    probing = time.monotonic() - begun if always else 0.0
    fitting = fitting_seconds(round(1e6 * encoder.sampler.extent(count).megapixels))
    budget = Budget(settings.adapt, Stopwatch(), plain_seconds=plain)
    cost, prober = Cost(encoder, count, budget), Prober(encoder, None)
    network = f"the network {Path(settings.network).stem}"
    allowed = {network: budget.allows(network_seconds(LEAST_PIXELS, LEAST_PIXELS), network)}
    if prober.smaller():
        allowed["a smaller picture"] = always or (cost.allows_probe and cost.allows_track)
    if settings.interpolation_weights is not None and not encoder.source.info.interlaced:
        allowed["every second frame"] = always or cost.allows_interpolation
    tried = [name for name, here in allowed.items() if here]
    not_tried = [name for name in budget.skipped if name not in tried]
    trials = most_seconds(encoder, prober, count, budget) if budget.unlimited else budget.seconds_left
    return tried, not_tried, probing + plain + max(trials, fitting)


def _other_bytes(source: Source) -> int:
    """The bytes of sound, subtitles and covers, which are copied."""
    return 0 if source.bytes is None else max(source.bytes - media.video_bytes(source.path), 0)


def _text(source: Source, settings: Settings, plan: dict[str, Any]) -> str:
    """The plan in words."""
    info, aim = source.info, f"crf {plan['crf']}"
    if settings.target_vmaf is not None:
        aim = f"about {aim}, for VMAF {settings.target_vmaf:g}"
    if settings.bitrate is not None:
        aim = f"about {aim}, for {settings.bitrate / 1000:,.0f} kbit/s"
    also = f"; also tried, and kept if better: {', '.join(plan['tried'])}" if plan["tried"] else ""
    left = f"; no time to try {', '.join(plan['not_tried'])}: pass --adapt best" if plan["not_tried"] else ""
    return (
        f"{info.width}x{info.height}, {float(info.rate):.4g} frames/s: {plan['encoder']} at {aim}, preset "
        f"{plan['preset']}; a Wiener step for decompress is fitted, and kept if it gains more than its bytes cost"
        f"{also}{left}"
    )
