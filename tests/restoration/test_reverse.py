"""Chunks in reverse order."""

import numpy as np

from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.both_directions import spans
from vdiff_jax.restoration.reverse import LookingAhead, backward
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.tasks.video import ChunkInputs


def test_backward_is_the_clip_reversed():
    frames = np.arange(6, dtype=np.float32)
    velocity = np.stack([np.full((2, 2, 4), n) + np.array([0, 0, 0.5, 0.5]) for n in range(5)]).astype(np.float32)
    given = ChunkInputs(
        planes=(frames.reshape(6, 1, 1),),
        valid=np.ones(6, np.float32),
        error=None,
        velocity=velocity,
        time=frames,
        sigma=np.zeros((6, 3), np.float32),
    )
    turned = backward(given, 3)
    assert turned.planes[0][2:, 0, 0].tolist() == [3, 2, 1, 0]
    assert turned.valid.tolist() == [0, 0, 1, 1, 1, 1]
    assert turned.time[2:].tolist() == [-3, -2, -1, 0]
    # What led to the frame before now leads to the next one.
    assert turned.velocity[2:, 0, 0].tolist() == [[n + 0.5, n + 0.5, n, n] for n in (3, 2, 1)]


def chunk(count: int, starts_shot: bool) -> Chunk:
    """A chunk of so many frames."""
    picture, none = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    flow_frame = FlowFrame(small=np.zeros((1, 1), np.uint8), known=None, time=0.0, size=(2, 2))
    frame = AnalysedFrame(frame=Frame((picture,), 0), mask=None, flow_frame=flow_frame, starts_shot=starts_shot)
    field = np.zeros((1, 1, 1, 4), np.float32)
    arrays = {"planes": (), "valid": none, "quantisers": none, "error": None, "velocity": field, "time": none}
    return Chunk(analysed=[frame] * count, **arrays, starts_shot=starts_shot)


def test_looking_ahead_ends_with_the_shot_and_loses_no_chunk():
    chunks = [
        chunk(count, starts) for count, starts in [(2, True), (1, False), (3, False), (1, False), (1, True), (2, False)]
    ]
    ahead, following = LookingAhead(iter(chunks)), []
    for one, count in zip(ahead, (3, 9, 1, 4, 2, 1)):
        assert one is chunks[len(following)]
        following.append([len(after.analysed) for after in ahead.following(count)])
    assert following == [[1, 3], [3, 1], [1], [], [2], []]


def test_spans_end_with_their_shot():
    chunks = [chunk(1, starts) for starts in (True, False, False, True, True)]
    found = [
        tuple([[one is each for each in chunks].index(True) for one in part] for part in parts)
        for parts in spans(chunks, 2)
    ]
    assert found == [([0, 1], [2]), ([2], []), ([3], []), ([4], [])]


def test_no_chunk_is_read_before_it_is_needed():
    read = []

    def chunks():
        for number in range(3):
            read.append(number)
            yield chunk(1, number == 0)

    ahead = LookingAhead(chunks())
    next(iter(ahead))
    assert read == [0]
    assert len(ahead.following(1)) == 1
    assert read == [0, 1]
