"""Compression: encodes a track, chooses the decoder's steps, and writes the track and the attachment into a file."""

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment_choice import choose_attachment
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.probes import Prober
from vdiff_jax.compression.settings import CONTAINERS, Settings, check_files, make_settings
from vdiff_jax.compression.source import Source, coded_source, open_source
from vdiff_jax.compression.target_quality import Candidate, reach_target_vmaf
from vdiff_jax.compression.track_choice import choose_track, most_seconds
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.errors import MissingError, OptionError, OutputError
from vdiff_jax.media.target import Lock, PendingFile
from vdiff_jax.restoration.identity import run_identity
from vdiff_jax.runtime.checkpoints import open_checkpoints
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.warning_log import reports_warnings
from vdiff_jax.weights import identity

log = logging.getLogger(__name__)


@reports_warnings
def compress(
    source: np.ndarray | str | Path,
    target: str | Path,
    *,
    codec: str = "h264",
    crf: float | int | None = None,
    bitrate: float | int | None = None,
    target_vmaf: float | int | None = None,
    preset: str | None = None,
    adapt: str = "fast",
    weights: str | Path | None = None,
    rate: Fraction | float | int = 25,
    resume: bool = False,
    progress: Callable[[int], Any] = lambda frames: None,
    begin: Callable[[str], Any] = lambda stage: None,
) -> dict[str, Any]:
    """Compresses a video into an MKV or MP4 file that any player plays and `decompress` improves; returns the report.

    Args:
      source: a file, a folder or glob of pictures, or a clip `t h w c`, uint8 R'G'B' or grey.
      target: the file to write, which ends in .mkv or .mp4.
      codec: "h264", "hevc" or "av1".
      crf: the encoder's quality (default: 23 for h264, 28 for hevc, 35 for av1).
      bitrate: bits per second of the track, instead of crf.
      target_vmaf: the lowest mean VMAF that `decompress` may give, instead of crf; estimated from samples.
      preset: the encoder's preset (default: medium for h264 and hevc, 6 for av1).
      adapt: how long to search for a better file than the plain codec's. "none": only the Wiener step is fitted.
        "fast": the whole call takes at most about twice the plain encoder's time plus ten seconds. "best": smaller
        pictures, half of the frames and the network are tried, whatever time that takes.
      weights: a name or a file (default: "base").
      rate: frames per second of a clip.
      resume: continues an earlier run that was stopped.
      progress: is called with the number of frames encoded.
      begin: is called with the name of each stage as it begins: "encoding 1 of at most 5", "probing", "comparing",
        "fitting".

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the input, the options or the output.
    """
    clock = Stopwatch()
    check_files(source, target)
    settings = make_settings(
        codec=codec, preset=preset, crf=crf, bitrate=bitrate, target_vmaf=target_vmaf, adapt=adapt, weights=weights
    )
    opened = open_source(source, rate)
    budget = Budget(settings.adapt, clock)
    pending = PendingFile(target)  # from now on, no other run writes the target
    try:
        with _open_encoder(opened, settings, Path(target), clock, progress, begin, resume=resume) as encoder:
            best = _best_candidate(encoder, clock, budget)
            _write(best, encoder, pending)
    except BaseException:
        if not pending.whole:
            pending.remove()
        raise
    return _report(clock, encoder, best, budget, Path(target).stat().st_size)


@contextlib.contextmanager
def _open_encoder(
    source: Source,
    settings: Settings,
    target: Path,
    clock: Stopwatch,
    progress: Callable[[int], Any],
    begin: Callable[[str], Any],
    *,
    resume: bool,
) -> Iterator[TrackEncoder]:
    """An encoder whose tracks lie in a folder beside the target."""
    source, coded = coded_source(source, settings, CONTAINERS[target.suffix.lower()])
    with _tracks_folder(source, settings, target, resume=resume) as (folder, keep):
        yield TrackEncoder(source, coded, settings, folder, clock, progress, begin, keep=keep)


@contextlib.contextmanager
def _tracks_folder(source: Source, settings: Settings, target: Path, *, resume: bool) -> Iterator[tuple[Path, bool]]:
    """A folder beside the target for tracks, and whether it stays after an error so that `--resume` can use it."""
    about = run_identity("compress", [source.path or "-"]) | dataclasses.asdict(settings)
    about["weights' hashes"] = [identity(settings.network).hex()]
    checkpoints = open_checkpoints(str(target), about, every=1, resume=resume, input_again=source.path is not None)
    if checkpoints.folder is None:
        with tempfile.TemporaryDirectory(prefix=".vdiff.", suffix=".part", dir=target.resolve().parent) as folder:
            yield Path(folder), False
        return
    with Lock(checkpoints.folder.with_name(f".{checkpoints.folder.name}.lock"), target):
        folder = checkpoints.start()
        if folder is None:
            raise OutputError(f"{target} can't be written: no folder for its tracks can be made beside it")
        try:
            yield folder, True
        except OptionError:  # the same command can't succeed
            checkpoints.discard()
            raise
        except BaseException:
            if any(folder.glob("*.mp4")) or any(folder.glob("*.resume/[0-9]*.json")):
                log.warning("tracks are kept in %s: the same command with --resume continues there", folder)
            else:
                checkpoints.discard()
            raise
        checkpoints.discard()


def _best_candidate(encoder: TrackEncoder, clock: Stopwatch, budget: Budget) -> Candidate:
    """The smallest candidate for the target VMAF, or the best one for the crf or the bit rate.

    Raises:
      MissingError: a VMAF is the target, but there is no libvmaf.
    """
    vmaf = None
    try:
        vmaf = media.Vmaf()
    except MissingError:
        if encoder.settings.target_vmaf is not None:
            raise
    if encoder.settings.target_vmaf is not None:
        return reach_target_vmaf(encoder, budget, clock, vmaf)
    track, prober = encoder.track(), Prober(encoder, vmaf)
    budget.begin_trials()
    if budget.unlimited:
        seconds = most_seconds(encoder, prober, len(track.times), budget)
        log.info("all trials take at most about %.0f s", seconds)
    encoder.begin("fitting")
    with clock.stage("adapt"):
        attachment = choose_attachment(encoder, track, budget)
    encoder.begin("probing")
    with clock.stage("choose"):
        choice = choose_track(encoder, prober, track, budget)
    encoder.begin("fitting")
    with clock.stage("adapt"):
        if choice.track is not track:
            attachment = choose_attachment(encoder, choice.track, budget)
        return Candidate(choice, attachment, prober.quality_if_time(attachment, budget))


def _write(candidate: Candidate, encoder: TrackEncoder, pending: PendingFile) -> None:
    """Writes track, attachment and the source's sound, subtitles and tags; the file gets its name when it is whole."""
    source, track = encoder.source, candidate.track
    attachment, info = candidate.attachment_choice.packed, track.variant.info(source.info)
    tracks = source.path if source.bytes is not None else None  # pictures have no other tracks
    media.remux(track.path, pending.path, attachment, info, copy_from=tracks)
    pending.commit()


_WHY = {
    (False, False): "no restoration that was tried gains more than its attachment costs",
    (True, False): "the Wiener step gains more than its attachment costs, and no network that was tried does",
    (True, True): "the Wiener step and the network gain more than their attachment costs",
}
_WHY_PLAIN_AT_VMAF = "no restoration gains more PSNR than its attachment costs and raises VMAF"


def _why(encoder: TrackEncoder, candidate: Candidate) -> str:
    """Why this track and this attachment were chosen, in words."""
    attachment = candidate.attachment_choice.attachment
    why = _WHY[attachment.wiener is not None, attachment.network is not None]
    if attachment.wiener is None:
        why = why if encoder.settings.target_vmaf is None else _WHY_PLAIN_AT_VMAF
    variant = candidate.track.variant
    if variant == encoder.whole:
        return f"{why}: the plain codec" if attachment.wiener is None else why
    kept = [] if variant.shape == encoder.shape else ["a smaller picture"]
    kept += ["every second frame"] if variant.half_rate else []
    return f"{' and '.join(kept)}: better in the same bytes; {why}"


def _report(clock: Stopwatch, encoder: TrackEncoder, candidate: Candidate, budget: Budget, size: int) -> dict[str, Any]:
    settings, info = encoder.settings, encoder.source.info
    track, choice = candidate.track, candidate.attachment_choice
    quality, network = candidate.quality, choice.attachment.network
    gain = zip(("y", "cb", "cr"), choice.fit.gain)
    return {
        **clock.report(len(track.times), info.width, info.height),
        "codec": settings.codec.name,
        "encoder": settings.codec.encoder,
        **settings.encoder_options(track.crf),
        "bytes": {
            "source": encoder.source.bytes,
            "track": track.size,
            "attachment": len(choice.packed or b""),
            "file": size,
        },
        "bits_per_second": round(track.rate),
        "track": candidate.track_choice.as_report(),
        "vmaf": None if quality is None else {"target": settings.target_vmaf, **quality.as_report()},
        "plan": {
            "tasks": list(choice.attachment.tasks),
            "weights": None if network is None else network.name,
            "adapt": settings.adapt,
            "not_tried": budget.skipped,
            "expected_gain_db": {channel: round(float(db), 4) for channel, db in gain},
            "why": _why(encoder, candidate),
        },
    }
