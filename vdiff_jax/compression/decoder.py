"""Decompression: the track's frames, improved as the attachment says."""

import contextlib
import dataclasses
import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vdiff_jax import media
from vdiff_jax.compression.attachment import STEPS_PER_OCTAVE, Attachment, WeightsId, WienerStep, unpack
from vdiff_jax.compression.interpolation import Interpolator, before_interpolation
from vdiff_jax.compression.timestamps import schedule_of
from vdiff_jax.compression.track import resize_frames, resized_info
from vdiff_jax.errors import AttachmentError, WeightsError
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.media.threads import prefetched
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import STEP, WienerFilter, spans, wiener_step
from vdiff_jax.postprocess.wiener_operators import REACH
from vdiff_jax.restoration.backend import backend_for
from vdiff_jax.restoration.both_directions import BothDirections
from vdiff_jax.restoration.chunk_restorer import ChunkRestorer
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.identity import run_identity
from vdiff_jax.restoration.pipeline import report, restored_frames, write
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints, frames_between, open_checkpoints
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.warning_log import reports_warnings
from vdiff_jax.stream.compression_error import expected_error, typical
from vdiff_jax.stream.context import context_frames, passed, with_context
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.weights import Weights, identities, identity, load

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoding(Plan):
    """A plan whose expected errors are those of the attachment.

    Attributes:
      octaves: log2 of the error of Y', Cb and Cr, relative to what each frame's quantiser predicts; where `codec` is
        None, relative to one 8-bit unit.
    """

    octaves: Float[np.ndarray, "3"]

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """The expected error of Y', Cb and Cr, in [0, 1], of frames coded with these quantisers (NaN: unknown)."""
        if self.codec is None:
            return np.tile(np.exp2(self.octaves) / 255, (len(quantisers), 1)).astype(np.float32)
        known = np.where(np.isfinite(quantisers), quantisers, typical(self.codec))
        return expected_error(self.codec, known) * np.exp2(self.octaves).astype(np.float32)


def plan_of(attachment: Attachment, info: media.VideoInfo) -> Decoding:
    """The plan for a track: the decoder's steps, and the expected error.

    Args:
      attachment: the track's attachment.
      info: the source's properties, with the track's codec.
    """
    network = attachment.network
    octaves = np.array(network.error if network else (0, 0, 0), np.float32) / STEPS_PER_OCTAVE
    return Decoding(
        tasks=attachment.tasks,
        weights="" if network is None else network.name,
        why="as the attachment says" if attachment.tasks else "nothing to do: the track is shown as it is",
        conversion=SameSize(info.pixels, attachment.size),
        codec=info.codec if scale_of(info.codec) is not None else None,
        octaves=octaves,
    )


def find_attachment(source: str | Path, size: tuple[int, int]) -> Attachment:
    """A file's attachment. If it has no valid one, logs a warning and returns one that changes nothing.

    Args:
      source: the file.
      size: height and width of its track.
    """
    data = media.read_attachment(source)
    try:
        if data is None:
            raise AttachmentError("no attachment, as compress wrote none or another program made the file (try repair)")
        # With its place in the file, a frame of the track takes 4 bytes or more, and half of the frames may be missing.
        attachment = unpack(data, most_frames=os.path.getsize(source) // 2)
        if attachment.shape != size:
            raise AttachmentError(f"the attachment is for a track of height and width {attachment.shape}, not {size}")
        _check_track(attachment, source)
        return attachment
    except AttachmentError as error:
        log.warning("%s: %s: decoded without improvement", source, error)
        return Attachment(size=size)


def _check_track(attachment: Attachment, source: str | Path) -> None:
    """Raises AttachmentError if the file's track is not the one that the attachment was made for, or a part of it."""
    if attachment.key_frames is None:
        return
    known = [mark in attachment.key_frames for mark in media.key_frame_marks(source)]
    if not any(known):
        raise AttachmentError("the track was encoded again after its attachment was made")
    if not all(known):
        raise AttachmentError(
            f"the track was joined with another: {known.count(False)} of {len(known)} key frames are not of the "
            "video that the attachment was made for"
        )


def weights_of(needed: WeightsId, given: str | Path | None) -> Weights:
    """The weights that an attachment needs.

    Args:
      needed: the weights that the file was compressed with.
      given: the user's weights, a name or a file; None to take the package's weights of the needed name.

    Raises:
      WeightsError: the weights are missing, or differ from those needed.
    """
    name = given or needed.name
    if needed.digest not in identities(name):
        raise WeightsError(
            f"the video was compressed with weights {needed.name} ({needed.digest.hex()}), but {name} here is "
            f"{identity(name).hex()}: pass --weights with the file it was compressed with"
        )
    return load(name)


@reports_warnings
def decompress(
    source: str | Path,
    target: str | Path | None = None,
    *,
    weights: str | Path | None = None,
    both_directions: bool = False,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    resume: bool = False,
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, Any] | np.ndarray:
    """Decompresses a file: decodes its track and improves the frames as its attachment says.

    Args:
      source: a file that `compress` wrote. Any other video is decoded without improvement, with a warning.
      target: the output, as `media.open_writer` takes it; None returns all frames in memory.
      weights: the file of the weights, if they are not in the package.
      both_directions: the network runs forward and backward in time: better, in about twice the time.
      codec, options: the output encoder's name and options.
      resume: continues an earlier run that was stopped.
      progress: is called with the number of frames done.

    Returns:
      The report; without a target, uint8 R'G'B' `t h w 3`.

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the input, the weights or the output.
    """
    clock = Stopwatch()
    if target is not None:
        media.check_target(target, [source])
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(source, written=True))
        attachment = find_attachment(source, (reader.info.height, reader.info.width))
        frames = clock.timed("read", reader)
        first = next(frames)
        schedule = schedule_of(attachment, times_from(first, reader.info, source), reader.info.start, source)
        info = schedule.of_video(resized_info(reader.info, attachment.size), attachment)
        plan = dataclasses.replace(plan_of(attachment, info), both_directions=both_directions)
        writer, checkpoints = PictureList(info), NO_CHECKPOINTS
        if target is not None:
            given = {"codec": codec, "options": options}
            checkpoints = checkpoints_of(source, target, attachment, info, given, resume=resume)
            writer = media.open_writer(target, info, copy_from=source, checkpoints=checkpoints, **given)
            writer = stack.enter_context(writer)
        frames = resize_frames(itertools.chain([first], frames), info.pixels, attachment.size)
        first_steps = checkpoints if attachment.interpolation is None else before_interpolation(checkpoints)
        frames, restorers = decoded(attachment, plan, info, frames, clock, stack, weights, first_steps)
        if attachment.interpolation is not None:
            interpolator = interpolator_of(attachment, info, weights)
            frames = interpolator(frames, schedule.numbers, clock, checkpoints)
            frames = stack.enter_context(contextlib.closing(frames))
            restorers.append(interpolator.restorer)
        done = checkpoints.begun.frames
        count = write(schedule.stamped(frames, done), writer, clock, progress, done=done)
    if isinstance(writer, PictureList):
        return np.stack(writer.pictures)
    return report(clock, count, info, plan, *restorers)


def decoded(
    attachment: Attachment,
    plan: Decoding,
    info: media.VideoInfo,
    frames: Iterator[Frame],
    clock: Stopwatch,
    stack: contextlib.ExitStack,
    weights: str | Path | None,
    checkpoints: Checkpoints,
) -> tuple[Iterator[Frame], list[ChunkRestorer]]:
    """The track's frames after the network and the Wiener step, and the network's restorer if it was used."""
    if attachment.wiener is None:
        return passed(frames, checkpoints), []
    plain: deque[Frame] = deque()
    restored, restorers = copied_to(plain, frames, checkpoints.begun.frames), []
    if attachment.network is not None:
        masks = itertools.repeat(None)
        network = weights_of(attachment.network, weights)
        backend = backend_for("auto", network, info.all_pixels)
        restorer = Restorer(network, plan.conversion, plan.sigma_of, backend=backend)
        restorers.append(BothDirections(restorer) if plan.both_directions else restorer)
        restored = restored_frames(Footage(restored, masks, info.pixels), plan, restorers[0], clock, checkpoints)
        # The network computes the next chunk during the Wiener step.
        restored = stack.enter_context(contextlib.closing(prefetched(restored, restorers[0].frames)))
    else:
        restored = passed(restored, checkpoints)
    # A decoded frame is appended before its restored frame is yielded.
    decoded_frames = with_context((plain.popleft() for _ in itertools.count()), REACH, checkpoints, "plain")
    restored = with_context(restored, REACH, checkpoints, "restored")
    stepped = wiener_step(decoded_frames, restored, info.pixels, wiener_filter(attachment.wiener, info.pixels))
    return itertools.islice(stepped, context_frames(REACH, checkpoints), None), restorers


def checkpoints_of(
    source: str | Path,
    target: str | Path,
    attachment: Attachment,
    info: media.VideoInfo,
    given: dict[str, Any],
    *,
    resume: bool,
) -> Checkpoints:
    """The checkpoints of a decompression to `target`."""
    needed = (attachment.network, attachment.interpolation)
    about = run_identity("decompress", [source]) | given | {"weights": [each and each.digest.hex() for each in needed]}
    every = frames_between(info.height, info.width)
    return open_checkpoints(str(target), about, every=every, resume=resume, input_again=str(source) != "-")


def interpolator_of(attachment: Attachment, info: media.VideoInfo, weights: str | Path | None) -> Interpolator:
    """The interpolator with the weights that the attachment names.

    The user's `weights` are used if they are the weights needed. Otherwise they are those of the network that restores.
    """
    needed = attachment.interpolation
    given = weights if weights is not None and needed.digest in identities(weights) else None
    return Interpolator(weights_of(needed, given), info.pixels, attachment.size)


def times_from(first: Frame, info: media.VideoInfo, source: str | Path) -> list[Fraction]:
    """Seconds, in the file's own time, at which its frames are shown, beginning with the first frame that decodes."""
    begin = info.start + (first.pts - Fraction(1, 2)) * info.time_base
    return [time for time in media.frame_times(source) if time >= begin]


def copied_to(plain: deque[Frame], frames: Iterable[Frame], done: int = 0) -> Iterator[Frame]:
    """The frames. From number `done` on, each is first appended to `plain`. Unlike `itertools.tee`: thread-safe."""
    for number, frame in enumerate(frames):
        if number >= done:
            plain.append(frame)
        yield frame


def wiener_filter(wiener: WienerStep, pixels: PixelFormat) -> WienerFilter:
    """The Wiener step's parameters as numbers, for planes of this format."""
    thresholds = tuple(2.0 ** (n / STEPS_PER_OCTAVE) for n in wiener.thresholds or ())
    sigma, rows = in_sample_values(wiener.error, pixels), wiener.rows.astype(np.float32) / STEP
    return WienerFilter(sigma, rows, thresholds, wiener.directions or 1, around_plain=wiener.thresholds is not None)


def in_sample_values(error: tuple[int, int, int], pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """An error of Y', Cb and Cr in sample values, given in eighths of an octave relative to one 8-bit unit."""
    return np.exp2(np.array(error) / STEPS_PER_OCTAVE) / 255 * spans(pixels)


class PictureList:
    """Collects frames as uint8 R'G'B' `h w 3`, in place of a file."""

    def __init__(self, info: media.VideoInfo):
        self.pictures: list[np.ndarray] = []
        self._pixels = info.pixels

    def write(self, frame: Frame) -> None:
        """Appends a frame; a grey one becomes R'G'B' too."""
        picture = media.picture_of(frame.planes, self._pixels, deep=False)
        self.pictures.append(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1))
