"""From a video to a compressed file: a plain track, and the attachment with what the network is to do with it."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.compress.adapt import STEPS, Fit, Worth, fit, measure
from vdiff_jax.compress.codec import Codec, check_source, choose_codec
from vdiff_jax.compress.decoder import plan_of, sigma_of
from vdiff_jax.compress.original import Original, converted, open_original, stamps_of
from vdiff_jax.compress.recipe import Network, Recipe, Stamps
from vdiff_jax.compress.rehearsal import Rehearsal
from vdiff_jax.compress.samples import Piece, cut, windows
from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.media.target import PendingFile
from vdiff_jax.pipeline import Clock
from vdiff_jax.weights import Weights, identity, load, shipped

log = logging.getLogger(__name__)

_SEED = 0
_CLOSE = (0.94, 1.01)
"""A rate within these shares of the one asked for is taken."""
_TRIES = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for.

    Attributes:
      codec: of the track.
      preset: of its encoder.
      crf: quality; the codec's usual one where there is no bitrate.
      bitrate: bits a second of track and attachment; None for a constant quality.
      adapt: one of `STEPS`.
      weights: a name or a file.
    """

    codec: Codec
    preset: str | None
    crf: float
    bitrate: float | None
    adapt: str
    weights: str

    def options(self, crf: float) -> dict[str, str]:
        return self.codec.options(crf, self.preset)


class Track(NamedTuple):
    """An encoded track: its file, its crf, its size in bytes, the frames' times and its length in seconds."""

    path: Path
    crf: float
    size: int
    times: list[tuple[int, int | None]]
    seconds: float

    @property
    def rate(self) -> float:
        """Bits a second."""
        return 8 * self.size / self.seconds


def compress(
    source: np.ndarray | str | Path,
    target: str | Path,
    *,
    codec: str = "h264",
    crf: float | int | None = None,
    bitrate: float | int | None = None,
    preset: str | None = None,
    adapt: str = "fast",
    weights: str | Path | None = None,
    rate: Fraction | float | int = 25,
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, Any]:
    """Compresses a video into a Matroska file that every player plays.

    Args:
      source: a file, a folder or glob of pictures, or a clip `t h w c`, uint8 R'G'B' or grey.
      target: the file, which ends in .mkv.
      codec: "h264", "hevc" or "av1".
      crf: the encoder's quality.
      bitrate: bits a second, of the track and the attachment.
      preset: as the encoder names it.
      adapt: "none", "fast" or "best": how long the network is fitted to this video.
      weights: a name or a file; the package's best for this by default.
      rate: frames a second of a clip.
      progress: is told how many frames are encoded.

    Returns:
      The report.

    Raises:
      VdiffError: one of its kinds, for anything wrong with the input, the options or the output.
    """
    clock = Clock()
    _check(target, source, crf, bitrate, adapt)
    crf = None if crf is None else float(crf)
    chosen = choose_codec(codec, preset, crf)
    weights = str(weights or default_weights())
    wanted = Wanted(
        codec=chosen,
        preset=preset,
        crf=chosen.crf if crf is None else crf,
        bitrate=None if bitrate is None else float(bitrate),
        adapt=adapt,
        weights=weights,
    )
    original = open_original(source, rate)
    stored = check_source(original.info, chosen, preset)
    network = load(weights)
    with contextlib.ExitStack() as stack:
        encoder = Encoder(original, stored, wanted, Path(target), clock, progress, stack)
        track = encoder.track()
        with clock.stage("adapt"):
            recipe, made = _decide(encoder, track, network)
        pending = PendingFile(target)
        try:
            attached = None if recipe is None else recipe.pack()
            media.join(track.path, pending.path, attached, original.info, copy_from=original.path, lead=encoder.lead)
        except BaseException:
            pending.remove()
            raise
        pending.commit()
    return _report(clock, encoder, track, recipe, made, Path(target).stat().st_size)


def default_weights() -> str:
    """The fast ones, where the package has them."""
    return "fast" if "fast" in shipped() else "base"


def _check(target, source, crf, bitrate, adapt) -> None:
    if Path(target).suffix.lower() != ".mkv":
        raise OutputError(f"{target}: compress writes Matroska, which alone holds its attachment: end it in .mkv")
    media.check_target(target, [] if isinstance(source, np.ndarray) else [source])
    if crf is not None and bitrate is not None:
        raise OptionError("crf and bitrate each say how good the track is to be: pass one of them")
    if adapt not in STEPS:
        raise OptionError(f"adapt {adapt} isn't offered: take one of {', '.join(STEPS)}")
    if bitrate is not None and not bitrate > 0:
        raise OptionError(f"a bitrate of {bitrate:g} is none: pass bits a second above 0, such as 500k")


class Encoder:
    """Encodes tracks of one source."""

    def __init__(
        self, original: Original, stored: media.VideoInfo, wanted: Wanted, target: Path, clock: Clock, progress, stack
    ):
        self.original, self.stored, self.wanted = original, stored, wanted
        self.lead = media.run_in(original.path, original.info)
        self._target, self._clock, self._progress, self._stack = target, clock, progress, stack

    def track(self) -> Track:
        """The track of the quality or the rate that was asked for.

        Raises:
          OptionError: no crf comes down to the bitrate.
        """
        return self._encode(self.wanted.crf) if self.wanted.bitrate is None else self._search(self.wanted.crf)

    def _search(self, crf: float) -> Track:
        """The rate falls with crf: by about a half for each octave, until two crfs lie around the rate."""
        codec, rate = self.wanted.codec, self.wanted.bitrate
        raw = 8 * self.stored.frame_bytes * self.stored.rate
        if rate > raw:
            raise OptionError(f"a bitrate of {rate:g} is more than the video takes uncompressed, {float(raw):g}")
        tracks: list[Track] = []
        for _ in range(_TRIES):
            track = self._encode(crf)
            tracks.append(track)
            share = track.rate / rate
            if _CLOSE[0] <= share <= _CLOSE[1] or (share < 1 and crf <= 1):
                break
            if share > 1 and crf >= codec.coarsest:
                raise OptionError(
                    f"no setting of {codec.encoder} comes down to {rate:g} bits a second: at crf {crf:g} this video "
                    f"takes {track.rate:.0f}"
                )
            crf = _next_crf(codec, tracks, rate)
            if any(crf == tried.crf for tried in tracks):
                break
        under = [track for track in tracks if track.rate <= rate * _CLOSE[1]]
        return max(under, key=lambda track: track.rate) if under else min(tracks, key=lambda track: track.rate)

    def _encode(self, crf: float) -> Track:
        path = self._target.with_name(f".{self._target.stem}.{id(self)}.{crf:.2f}.part.mp4")
        self._stack.callback(path.unlink, missing_ok=True)
        info, times = self.original.info, []
        codec, options = self.wanted.codec, self.wanted.options(crf)
        writer = media.open_writer(path, info, codec=codec.encoder, options=options)
        with self._clock.stage("encode"), self.original.frames() as frames, writer:
            for frame in frames:
                writer.write(frame)
                times.append((frame.pts, frame.duration))
                self._progress(len(times))
        last = times[-1][1] or round(1 / (info.rate * info.time_base))
        seconds = float((times[-1][0] + last - times[0][0]) * info.time_base)
        return Track(path, crf, media.video_bytes(path), times, seconds)

    def pieces(self, track: Track) -> list[Piece]:
        """Samples of the source beside those of the track."""
        chosen = windows(len(track.times), self.stored.width * self.stored.height)
        with self.original.frames() as frames:
            source = cut(frames, chosen)
        with media.open_reader(track.path) as reader:
            decoded = cut(iter(reader), chosen)
        pixels = self.original.info.pixels
        source = [[converted(frame, pixels, self.stored.pixels) for frame in piece] for piece in source]
        return [Piece(s, d, measured) for s, d, (_, measured) in zip(source, decoded, chosen)]

    def stamps(self, track: Track) -> Stamps | None:
        """What the track's own times are rounded from."""
        return stamps_of(track.times, self.original.info, self.lead)


def _next_crf(codec: Codec, tracks: list[Track], rate: float) -> float:
    """Between the two nearest crfs around the rate, by its logarithm; where there is one side, beyond it."""
    above = max((track for track in tracks if track.rate > rate), key=lambda track: track.crf, default=None)
    below = min((track for track in tracks if track.rate <= rate), key=lambda track: track.crf, default=None)
    aim = np.log2(rate * np.mean(_CLOSE))
    if above is not None and below is not None:
        high, low = np.log2(above.rate), np.log2(below.rate)
        crf = above.crf + (below.crf - above.crf) * np.clip((high - aim) / max(high - low, 1e-6), 0.05, 0.95)
    else:
        crf = tracks[-1].crf + codec.octave * (np.log2(tracks[-1].rate) - aim) * 1.1
    step = 1.0 if codec.name == "av1" else 0.01
    return float(np.clip(round(crf / step) * step, 1, codec.coarsest))


def _decide(encoder: Encoder, track: Track, network: Weights) -> tuple[Recipe | None, Fit]:
    """What the decoder is to do with a track, and what that gains."""
    wanted, stored = encoder.wanted, encoder.stored
    pieces = encoder.pieces(track)
    codec = wanted.codec.name if scale_of(wanted.codec.name) is not None else None
    told = measure(pieces, stored.pixels, codec)
    named = Network(weights=Path(wanted.weights).stem, digest=identity(wanted.weights), error=told.relative)
    recipe = Recipe(size=(stored.height, stored.width), stamps=encoder.stamps(track))
    trial = dataclasses.replace(recipe, network=named)
    plan = plan_of(trial, dataclasses.replace(stored, codec=wanted.codec.name))
    rehearsal = Rehearsal(network, plan, pieces, sigma_of(told.absolute, stored.pixels))
    worth = Worth(octave=3.0, size=track.size)
    made = fit(rehearsal, told, named, steps=STEPS[wanted.adapt], seed=_SEED, worth=worth)
    recipe = dataclasses.replace(recipe, diffusion=made.diffusion, network=made.network)
    return (None if recipe.stamps is None and made.diffusion is None else recipe), made


_WHY = {
    (False, False): "nothing gains more than its attachment takes: the plain codec",
    (True, False): "diffusion gains more than its attachment takes, the network no more than that",
    (True, True): "diffusion and the network gain more than their attachment takes",
}


def _report(
    clock: Clock, encoder: Encoder, track: Track, recipe: Recipe | None, made: Fit, size: int
) -> dict[str, Any]:
    wanted, info = encoder.wanted, encoder.original.info
    tasks = [("deblock", made.network), ("spread", made.diffusion)]
    return {
        **clock.measures(len(track.times), info.width, info.height),
        "codec": wanted.codec.name,
        "encoder": wanted.codec.encoder,
        **wanted.options(track.crf),
        "bytes": {"track": track.size, "attachment": 0 if recipe is None else len(recipe.pack()), "file": size},
        "bits_per_second": round(track.rate),
        "plan": {
            "tasks": [task for task, part in tasks if part is not None],
            "weights": wanted.weights,
            "adapt": wanted.adapt,
            "update_bytes": 0 if made.network is None else len(made.network.update),
            "expected_gain_db": {
                channel: round(float(gain), 4) for channel, gain in zip(("y", "cb", "cr"), made.gained)
            },
            "why": _WHY[made.diffusion is not None, made.network is not None],
        },
    }
