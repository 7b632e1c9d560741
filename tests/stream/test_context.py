"""Frames that go on at a checkpoint, with those before it as context."""

import numpy as np

from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.checkpoint_files import find_checkpoint
from vdiff_jax.runtime.checkpoints import Checkpoints
from vdiff_jax.stream.context import context_frames, passed, with_context


def numbered(first, last):
    planes = {n: (np.full((2, 2), n, np.uint8), np.full((1, 1), n, np.uint8)) for n in range(first, last)}
    return [Frame(own, n, given=(own[0] + 100, own[1] + 100)) for n, own in planes.items()]


def values(frames):
    assert all(given[0, 0] == plane[0, 0] + 100 for f in frames for plane, given in zip(f.planes, f.given, strict=True))
    return [[int(plane[0, 0]) for plane in frame.planes] for frame in frames]


def run(checkpoints, frames):
    """The frames through `with_context`, each checkpoint committed."""
    seen = []
    for count, frame in enumerate(with_context(passed(frames, checkpoints), 2, checkpoints, "step")):
        seen.append(frame)
        number = count + 1 + checkpoints.begun.frames - context_frames(2, checkpoints)
        if checkpoints.here(number):
            checkpoints.add([])
            checkpoints.commit(number)
    return seen


def test_a_job_that_goes_on_sees_the_last_frames_before_it_again(tmp_path):
    folder = tmp_path / "kept"
    run(Checkpoints(folder, every=3), numbered(0, 5))
    again = Checkpoints(folder, every=3, begun=find_checkpoint(folder, {}))
    assert again.begun.frames == 3
    assert context_frames(2, again) == 2
    assert values(run(again, numbered(0, 9))) == [[n, n] for n in (1, 2, 3, 4, 5, 6, 7, 8)]
    assert find_checkpoint(folder, {}).frames == 9


def test_a_job_that_begins_has_no_context(tmp_path):
    assert values(run(Checkpoints(tmp_path / "kept", every=3), numbered(0, 4))) == [[n, n] for n in range(4)]


def test_a_checkpoint_after_the_first_frame_keeps_one(tmp_path):
    folder = tmp_path / "kept"
    run(Checkpoints(folder, every=1), numbered(0, 1))
    again = Checkpoints(folder, every=1, begun=find_checkpoint(folder, {}))
    assert values(run(again, numbered(0, 3))) == [[0, 0], [1, 1], [2, 2]]
