"""The steps that may follow the network: deflicker, the Wiener step, resizing. Each task lists those that it uses."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from vdiff_jax.media.threads import prefetched, queue_depth
from vdiff_jax.pixels import Frame
from vdiff_jax.postprocess.deflicker import deflicker as deflicker_frames
from vdiff_jax.postprocess.residual_filter import residual_wiener_step
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.chunks import MOST_FRAMES
from vdiff_jax.stream.context import context_frames, with_context
from vdiff_jax.stream.resize import resized_planes
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.weights import load


def deflicker(frames: Iterable[Frame], plan: Plan, checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
    """Reduces flicker where nothing moves."""
    pixels = plan.conversion.pixels
    return deflicker_frames(frames, pixels, plan.sigma_of_planes(pixels), checkpoints)


def wiener(frames: Iterable[Frame], plan: Plan, checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
    """Applies the Wiener step; frames pass unchanged if the weights have no coefficients for it.

    Meanwhile a thread runs the network on the next chunk.
    """
    network, pixels = load(plan.weights), plan.conversion.pixels
    model = (network.wiener_of_both if plan.both_directions else None) or network.wiener_model
    if model is None:
        yield from frames
        return
    error = float(plan.sigma[0])
    coefficients = [model.filter_for(error, pixels)]
    if pixels.kind == "rgb":
        coefficients.append(model.filter_for(error, pixels, shared=False))
    reach = coefficients[0].reach
    frames = with_context(frames, reach, checkpoints, "wiener")
    height, width = plan.conversion.written()[1]
    depth = min(MOST_FRAMES, queue_depth(2 * pixels.frame_bytes(width, height)))
    with contextlib.closing(prefetched(frames, depth)) as ahead:
        stepped = residual_wiener_step(ahead, pixels, *coefficients)
        yield from itertools.islice(stepped, context_frames(reach, checkpoints), None)


def resize(frames: Iterable[Frame], plan: Plan, checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
    """Resizes the frames to the output's size."""
    del checkpoints
    pixels, size = plan.conversion.written()
    return (dataclasses.replace(frame, planes=resized_planes(frame.planes, pixels, size)) for frame in frames)
