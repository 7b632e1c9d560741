"""The state before a shot's first frame and after a resumed run, and frames for which the network gives NaN."""

import dataclasses
import itertools
import logging

import imageio.v3 as iio
import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import sample
from vdiff_jax.errors import NotFiniteError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration import restorer, tiles
from vdiff_jax.restoration.both_directions import BothDirections
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.checkpoint_files import find_checkpoint
from vdiff_jax.runtime.checkpoints import Checkpoints
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.weights import for_task, load

RGB = PixelFormat(kind="rgb", full_range=True)


@pytest.fixture(scope="module")
def clip():
    """The first frames of the sample, uint8 R'G'B'."""
    return iio.imread(sample.TRUTH, plugin="pyav")[:6, 60:188, 120:280]


def test_the_first_frame_gains_from_those_after_it(clip):
    rng = np.random.default_rng(0)
    noisy = np.clip(np.rint(clip + 25 * rng.normal(size=clip.shape)), 0, 255).astype(np.uint8)

    def error(count: int) -> float:
        repaired = vdiff_jax.repair(noisy[:count], task="denoise", sigma=25)
        return np.square(repaired[0].astype(float) - clip[0]).mean()

    # One frame ahead is seen anyway.
    assert error(6) < 0.85 * error(2)


@pytest.mark.parametrize("both", [False, True])
def test_the_number_of_frames_in_a_chunk_does_not_matter(clip, both):
    film = np.concatenate([clip[:, :64, :64], clip[::-1, 64:, 64:128]])
    noisy = np.clip(np.rint(film + 15 * np.random.default_rng(0).normal(size=film.shape)), 0, 255).astype(np.uint8)
    frames = [Frame(tuple(np.moveaxis(picture, -1, 0)), n) for n, picture in enumerate(noisy)]

    def restored(count):
        one = Restorer(load(for_task("fast", "denoise")), SameSize(RGB, (64, 64)), sigma_15, frames=count)
        chunks = list(cut_into_chunks(analyse(frames, itertools.repeat(None), RGB, one.multiple), count))
        assert sum(chunk.starts_shot for chunk in chunks) == 2
        return np.stack([np.stack(frame.planes) for frame in (BothDirections(one) if both else one).restore(chunks)])

    whole = restored(8).astype(int)
    assert max(np.abs(restored(count) - whole).max() for count in (1, 3)) <= 1


def sigma_15(quantisers):
    """The expected errors of frames with noise of sigma 15."""
    return np.full((len(quantisers), 3), 15 / 255, np.float32)


def restored(clip, failing):
    """The clip denoised by a network that gives NaN for the frames with these numbers; and the restorer's report."""

    def sigma_of(quantisers):
        sigma = np.full((len(quantisers), 3), 10 / 255, np.float32)
        sigma[np.isin(quantisers, failing)] = np.nan
        return sigma

    one = Restorer(load(for_task("base", "denoise")), SameSize(RGB, clip.shape[1:3]), sigma_of)
    frames = [Frame(tuple(np.moveaxis(frame, -1, 0)), n, None, float(n)) for n, frame in enumerate(clip)]
    analysed = analyse(frames, itertools.repeat(None), RGB, one.multiple)
    made = [np.stack(frame.planes, -1) for frame in one.restore(cut_into_chunks(analysed, one.frames))]
    return np.stack(made), one.report()


def test_a_frame_for_which_the_network_gives_nan_is_left_as_it_was_read(clip, caplog):
    with caplog.at_level(logging.WARNING):
        made, report = restored(clip, [3])
    changed = [np.mean(made[n] != clip[n]) > 0.3 for n in range(len(clip))]
    assert changed == [True, True, True, False, True, True]
    np.testing.assert_array_equal(made[3], clip[3])
    assert np.abs(made.astype(int) - clip).mean() < 3
    assert report["frames_not_finite"] == 1
    assert [record.message for record in caplog.records] == [
        "the network gave NaN or infinite values for 1 of 6 frames: these are left as they were read"
    ]


def test_nan_for_more_than_one_percent_of_the_frames_is_an_error(clip):
    with pytest.raises(NotFiniteError, match="2 of 4 frames, more than 1 %"):
        restored(clip, [1, 3])


class Brighter:
    """A network's function of a chunk of one frame that makes each frame brighter than the one before."""

    compile_seconds = 0.0

    def __call__(self, params, carry, inputs, active):
        carry = dataclasses.replace(carry, result=carry.result + 1 / 64, time=inputs.time[0])
        return carry, (tuple(np.full_like(plane[:-1], 255 * carry.result[0, 0, 0]) for plane in inputs.planes), active)


def test_a_run_in_tiles_that_was_stopped_goes_on(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(tiles, "MARGIN", 2)
    monkeypatch.setattr(restorer, "_network_for", lambda *_: Brighter())

    def sigma_of(quantisers):
        return np.zeros((len(quantisers), 3))

    def restore(checkpoints):
        one = Restorer(load(for_task("fast", "denoise")), SameSize(RGB, (128, 160)), sigma_of, frames=1, tile=64)
        frames = (Frame(tuple(np.moveaxis(picture, -1, 0)), n) for n, picture in enumerate(clip))
        chunks = cut_into_chunks(analyse(frames, itertools.repeat(None), RGB, 8), 1, done=checkpoints.begun.chunks)
        return [frame.planes[0][0, 0] for frame in one.restore(chunks, checkpoints)]

    kept = Checkpoints(tmp_path, every=2)
    whole = restore(kept)
    kept.add([np.zeros(1)])
    kept.commit(2)
    assert len(set(whole)) == len(clip)
    assert restore(Checkpoints(tmp_path, every=2, begun=find_checkpoint(tmp_path, {}))) == whole[2:]
