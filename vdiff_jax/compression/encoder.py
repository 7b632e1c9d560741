"""From a video to a compressed file: a plain track, and the attachment with what the network is to do with it."""

import contextlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment_choice import decide
from vdiff_jax.compression.codec import check_source, choose_codec
from vdiff_jax.compression.fit import STEPS
from vdiff_jax.compression.probes import Meter
from vdiff_jax.compression.resolution import in_form
from vdiff_jax.compression.source import open_original
from vdiff_jax.compression.target_quality import Aimed, reach
from vdiff_jax.compression.track import Wanted
from vdiff_jax.compression.track_choice import choose
from vdiff_jax.compression.track_encoder import Encoder
from vdiff_jax.errors import MissingError, OptionError, OutputError
from vdiff_jax.media.target import PendingFile
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.weights import Weights, for_task, load, shipped, trained_tasks


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
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, Any]:
    """Compresses a video into a Matroska file that every player plays.

    Args:
      source: a file, a folder or glob of pictures, or a clip `t h w c`, uint8 R'G'B' or grey.
      target: the file, which ends in .mkv.
      codec: "h264", "hevc" or "av1".
      crf: the encoder's quality.
      bitrate: bits a second, of the track and the attachment.
      target_vmaf: the least VMAF that `decompress` is to give, as expected from samples.
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
    clock = Stopwatch()
    _check(target, source, crf, bitrate, target_vmaf, adapt)
    crf = None if crf is None else float(crf)
    chosen = choose_codec(codec, preset, crf)
    vmaf = None if target_vmaf is None else media.Vmaf()
    given = str(weights or default_weights())
    weights = for_task(given, "deblock")
    wanted = Wanted(
        codec=chosen,
        preset=preset,
        crf=chosen.crf if crf is None else crf,
        bitrate=None if bitrate is None else float(bitrate),
        vmaf=None if target_vmaf is None else float(target_vmaf),
        adapt=adapt,
        weights=weights,
        filling=next((name for name in (given, default_weights()) if "interpolate" in trained_tasks(name)), None),
    )
    original = open_original(source, rate)
    stored = check_source(original.info, chosen, preset)
    network = load(weights)
    with contextlib.ExitStack() as stack:
        encoder = Encoder(original, stored, wanted, Path(target), clock, progress, stack)
        aimed = _made(encoder, network, clock) if vmaf is None else reach(encoder, network, clock, vmaf)
        pending = PendingFile(target)
        try:
            attached, track = aimed.decision.attachment, aimed.track
            info = in_form(original.info, track.form)
            media.remux(track.path, pending.path, attached, info, copy_from=original.path, lead=encoder.lead)
        except BaseException:
            pending.remove()
            raise
        pending.commit()
    return _report(clock, encoder, aimed, Path(target).stat().st_size)


def default_weights() -> str:
    """The fast ones, where the package has them."""
    return "fast" if "fast" in shipped() else "base"


def _check(target, source, crf, bitrate, vmaf, adapt) -> None:
    if Path(target).suffix.lower() != ".mkv":
        raise OutputError(f"{target}: compress writes Matroska, which alone holds its attachment: end it in .mkv")
    media.check_target(target, [] if isinstance(source, np.ndarray) else [source])
    if sum(aim is not None for aim in (crf, bitrate, vmaf)) > 1:
        raise OptionError("crf, bitrate and target_vmaf each say how good the track is to be: pass one of them")
    if adapt not in STEPS:
        raise OptionError(f"adapt {adapt} isn't offered: take one of {', '.join(STEPS)}")
    if bitrate is not None and not bitrate > 0:
        raise OptionError(f"a bitrate of {bitrate:g} is none: pass bits a second above 0, such as 500k")
    if vmaf is not None and not 0 < vmaf < 100:
        raise OptionError(f"a VMAF of {vmaf:g} can't be aimed at: pass one above 0 and below 100, such as 93")


def _made(encoder: Encoder, network: Weights, clock: Stopwatch) -> Aimed:
    """The track of the quality or the rate that was asked for, or a smaller one that is better."""
    track = encoder.track()
    try:
        vmaf = media.Vmaf()
    except MissingError:
        vmaf = None
    with clock.stage("choose"):
        choice = choose(encoder, Meter(encoder, network, vmaf), track)
    with clock.stage("adapt"):
        return Aimed(choice, decide(encoder, choice.track, network))


_WHY = {
    (False, False): "nothing gains more than its attachment takes",
    (True, False): "diffusion gains more than its attachment takes, the network no more than that",
    (True, True): "diffusion and the network gain more than their attachment takes",
}
_PLAIN = "nothing raises both PSNR, by more than its attachment takes, and VMAF"


def _why(encoder: Encoder, aimed: Aimed) -> str:
    """What was decided, in words."""
    diffusion, network = aimed.decision.recipe.diffusion is not None, aimed.decision.recipe.network is not None
    why = _PLAIN if aimed.quality is not None and not diffusion else _WHY[diffusion, network]
    form = aimed.track.form
    if form == encoder.form:
        return why if diffusion else f"{why}: the plain codec"
    less = [] if form.shape == encoder.shape else ["a smaller picture"]
    less += ["every second frame"] if form.halved else []
    return f"{' and '.join(less)}, better in as many bytes; {why}"


def _report(clock: Stopwatch, encoder: Encoder, aimed: Aimed, size: int) -> dict[str, Any]:
    wanted, info = encoder.wanted, encoder.original.info
    track, decision = aimed.track, aimed.decision
    made = decision.made
    smaller = None if track.form.shape == encoder.shape else track
    tasks = [("enlarge", smaller), ("deblock", made.network), ("spread", made.diffusion)]
    tasks += [("interpolate", decision.recipe.filling)]
    return {
        **clock.report(len(track.times), info.width, info.height),
        "codec": wanted.codec.name,
        "encoder": wanted.codec.encoder,
        **wanted.options(track.crf),
        "bytes": {"track": track.size, "attachment": len(decision.attachment or b""), "file": size},
        "bits_per_second": round(track.rate),
        "track": aimed.choice.as_report(),
        **({} if aimed.quality is None else {"vmaf": {"target": wanted.vmaf, **aimed.quality.as_report()}}),
        "plan": {
            "tasks": [task for task, part in tasks if part is not None],
            "weights": wanted.weights,
            "adapt": wanted.adapt,
            "update_bytes": 0 if made.network is None else len(made.network.update),
            "expected_gain_db": {
                channel: round(float(gain), 4) for channel, gain in zip(("y", "cb", "cr"), made.gained)
            },
            "why": _why(encoder, aimed),
        },
    }
