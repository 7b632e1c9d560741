"""From a compressed file to the video: the track as it is, or what the network makes of it."""

import contextlib
import dataclasses
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vdiff_jax import media
from vdiff_jax.compression.attachment import OCTAVE, Diffusion, Named, Recipe, Stamps, unpack
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.interpolation import Filling
from vdiff_jax.compression.resolution import in_shape, resized
from vdiff_jax.compression.weight_update import apply
from vdiff_jax.errors import AttachmentError, WeightsError
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.media.threads import prefetched
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import OPERATORS, STEP, WienerFilter, wiener_step
from vdiff_jax.preprocess.planes import sample_range
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.pipeline import report, restored_frames
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.compression_error import expected_error, typical
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.weights import Weights, identity, load

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoding(Plan):
    """A plan whose errors are as the recipe tells them.

    Attributes:
      octaves: of Y', Cb and Cr, over what each frame's quantiser lets expect; where `codec` is None, over one 8-bit
        level.
    """

    octaves: Float[np.ndarray, "3"]

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        if self.codec is None:
            return np.tile(np.exp2(self.octaves) / 255, (len(quantisers), 1)).astype(np.float32)
        told = np.where(np.isfinite(quantisers), quantisers, typical(self.codec))
        return expected_error(self.codec, told) * np.exp2(self.octaves).astype(np.float32)


def plan_of(recipe: Recipe, info: media.VideoInfo) -> Decoding:
    """What the network does with a track, or nothing."""
    network = recipe.network
    octaves = np.array(network.error if network else (0, 0, 0), np.float32) / OCTAVE
    tasks = () if recipe.track is None else ("enlarge",)
    tasks += () if network is None else ("deblock",)
    tasks += () if recipe.diffusion is None else ("spread",)
    tasks += () if recipe.filling is None else ("interpolate",)
    return Decoding(
        tasks=tasks,
        weights="" if network is None else network.weights,
        sigma=np.zeros(3, np.float32),
        sigma_rgb=0.0,
        why="as the attachment says" if tasks else "the plain video as it is",
        job=SameSize(info.pixels, recipe.size),
        codec=info.codec if scale_of(info.codec) is not None else None,
        octaves=octaves,
    )


def find_recipe(source: str | Path, size: tuple[int, int]) -> Recipe:
    """A file's recipe; one that leaves all as it is, with a warning, where there is none that fits.

    Args:
      source: the file.
      size: height and width of its track.
    """
    data = media.read_attachment(source)
    try:
        if data is None:
            raise AttachmentError("there is no attachment of vdiff_jax's")
        recipe = unpack(data)
        if recipe.shape != size:
            raise AttachmentError(f"the attachment is of another track, of height and width {recipe.shape}")
        return recipe
    except AttachmentError as error:
        log.warning("%s: %s: decoded as the plain video that it is", source, error)
        return Recipe(size=size)


def weights_of(named: Named, given: str | Path | None) -> Weights:
    """The weights that a recipe was made with.

    Args:
      named: what the recipe says.
      given: weights to take instead of those of the recipe's name.

    Raises:
      WeightsError: there are none of that name, or they are others.
    """
    name = given or named.weights
    found = identity(name)
    if found != named.digest:
        raise WeightsError(
            f"the video was compressed with weights {named.weights} ({named.digest.hex()}), but {name} here is "
            f"{found.hex()}: pass --weights with the file it was made with"
        )
    return load(name)


def decompress(
    source: str | Path,
    target: str | Path | None = None,
    *,
    weights: str | Path | None = None,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    progress: Callable[[int], Any] = lambda frames: None,
) -> dict[str, Any] | np.ndarray:
    """Decompresses a file.

    Args:
      source: a file that `compress` wrote; any other video is decoded as it is, with a warning.
      target: what `media.open_writer` takes; None returns the frames, all in memory.
      weights: the file of the weights, where it is not in the package.
      codec, options: the encoder's name and options.
      progress: is told how many frames are done.

    Returns:
      The report; without a target, uint8 R'G'B' `t h w 3`.

    Raises:
      VdiffError: one of its kinds, for anything wrong with the input, the weights or the output.
    """
    clock = Stopwatch()
    if target is not None:
        media.check_target(target, [source])
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(source))
        recipe = find_recipe(source, (reader.info.height, reader.info.width))
        info = timed(in_shape(reader.info, recipe.size), recipe)
        plan = plan_of(recipe, info)
        keep = Pictures(info)
        if target is not None:
            sound = {"codec": codec, "options": options, "copy_from": source}
            keep = stack.enter_context(media.open_writer(target, info, **sound))
        frames = resized(clock.timed("read", reader), info.pixels, recipe.size)
        frames, restorers = decoded(recipe, plan, info, frames, clock, stack, weights)
        if recipe.filling is not None:
            # What was given may be the other network's.
            given = weights if weights is not None and identity(weights) == recipe.filling.digest else None
            filling = Filling(weights_of(recipe.filling, given), info.pixels, recipe.size)
            count = len(recipe.stamps.steps)
            frames = filling(frames, Form(recipe.shape, halved=True).frames(range(count), count), clock)
            frames = stack.enter_context(contextlib.closing(frames))
            restorers.append(filling.restorer)
        count = 0
        for frame in restamped(frames, recipe.stamps):
            with clock.stage("write"):
                keep.write(frame)
            count += 1
            progress(count)
    if isinstance(keep, Pictures):
        return np.stack(keep.pictures)
    return report(clock, count, info, plan, *restorers)


def decoded(
    recipe: Recipe,
    plan: Decoding,
    info: media.VideoInfo,
    frames: Iterator[Frame],
    clock: Stopwatch,
    stack: contextlib.ExitStack,
    weights: str | Path | None,
) -> tuple[Iterator[Frame], list[Restorer]]:
    """The track's frames as the recipe has them, and the network that restores them, if one does."""
    if recipe.diffusion is None:
        return frames, []
    seen: deque[Frame] = deque()
    restored, restorers = kept(frames, seen), []
    if recipe.network is not None:
        network, masks = weights_of(recipe.network, weights), itertools.repeat(None)
        network = network._replace(params=apply(network.params, recipe.network.update))
        restorers.append(Restorer(network, plan.job, plan.sigma_of))
        restored = restored_frames(Footage(restored, masks, info.pixels), plan, restorers[0], clock)
        # The network goes on with the next chunk during the Wiener step.
        restored = stack.enter_context(contextlib.closing(prefetched(restored, restorers[0].frames)))
    plain = (seen.popleft() for _ in itertools.count())
    return wiener_step(plain, restored, info.pixels, spread_of(recipe.diffusion, info.pixels)), restorers


def kept(frames: Iterable[Frame], seen: deque[Frame]) -> Iterator[Frame]:
    """The frames, each put into `seen` before it is handed on."""
    for frame in frames:
        seen.append(frame)
        yield frame


def spread_of(diffusion: Diffusion, pixels: PixelFormat) -> WienerFilter:
    """What a recipe's integers stand for."""
    steps = np.array(diffusion.steps, np.float32).reshape(3, OPERATORS)
    return WienerFilter(sigma_of(diffusion.error, pixels), steps / STEP)


def sigma_of(error: tuple[int, int, int], pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """An error in eighths of an octave over one 8-bit level, in samples."""
    spans = np.array([sample_range(pixels, chroma=index > 0)[1] for index in range(3)])
    return np.exp2(np.array(error) / OCTAVE) / 255 * spans


class Pictures:
    """Keeps frames as uint8 R'G'B' `h w 3`."""

    def __init__(self, info: media.VideoInfo):
        self.pictures: list[np.ndarray] = []
        self._pixels = info.pixels

    def write(self, frame: Frame) -> None:
        picture = media.picture_of(frame.planes, self._pixels, deep=False)
        self.pictures.append(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1))


def timed(info: media.VideoInfo, recipe: Recipe) -> media.VideoInfo:
    """The track's properties with the source's own clock."""
    stamps = recipe.stamps
    if stamps is None:
        return info
    lead, rate = Fraction(stamps.lead, 1000), info.rate if recipe.filling is None else 2 * info.rate
    return dataclasses.replace(info, time_base=stamps.time_base, start=lead, audio_lead=lead, rate=rate)


def restamped(frames: Iterable[Frame], stamps: Stamps | None) -> Iterator[Frame]:
    """Frames at the source's own times."""
    if stamps is None:
        yield from frames
        return
    # The track holds as many frames as there are times, or was cut short.
    for frame, pts, step in zip(frames, stamps.times, stamps.steps):
        yield dataclasses.replace(frame, pts=pts, duration=step)
