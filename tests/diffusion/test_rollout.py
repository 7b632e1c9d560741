"""The recurrence (rollout, observation): independent of chunks and batches, causal up to its look-ahead, bounded."""

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.diffusion.rollout import look_ahead, next_held, rollout, rollout_stream
from vdiff_jax.diffusion.step import start
from vdiff_jax.nn.network import NetworkConfig
from vdiff_jax.observation import Observation, holds


def part(observation: Observation, first: int, last: int) -> Observation:
    return jax.tree.map(lambda leaf: leaf[first:last], observation)


def without_frame(observation: Observation, number: int) -> Observation:
    """The clip when nothing is known of one frame."""
    frames = np.arange(len(observation.known)).reshape(-1, 1, 1, 1)
    return dataclasses.replace(observation, known=np.where(frames == number, np.float32(0), observation.known))


@pytest.fixture(scope="module")
def whole(run, observation, begin, unknown):
    return run(observation, begin, unknown)


@pytest.mark.parametrize("cuts", [(0, 3, 6), (0, 1, 4, 5, 6)])
def test_chunks_give_the_frames_of_the_whole_clip(run, observation, begin, unknown, whole, cuts):
    carry, parts = begin, []
    for a, b in itertools.pairwise(cuts):
        following = part(observation, b, b + 1) if b < 6 else unknown
        carry, result = run(part(observation, a, b), carry, following)
        parts.append(result)
    np.testing.assert_allclose(np.concatenate(parts), whole[1], atol=1e-5)


def test_batch_gives_the_frames_of_single_clips(network, run, observation, begin, unknown):
    batch = jax.tree.map(lambda leaf: np.stack([leaf, leaf[::-1]]), without_frame(observation, 3))
    carry = start(network.config, (2, *observation.values.shape[-3:-1]))
    _, together = jax.jit(partial(rollout, network))(batch, carry)
    for n in range(2):
        _, alone = run(jax.tree.map(lambda leaf, n=n: leaf[n], batch), begin, unknown)
        np.testing.assert_allclose(together[n], alone, atol=1e-5)


@pytest.fixture(scope="module")
def stream(network) -> Callable:
    """`rollout_stream` over a clip in memory and the frame after it: clip, carry, active -> carry, frames."""

    @jax.jit
    def run(clip: Observation, carry, active):
        def observe(numbers):
            frames = [jax.tree.map(lambda leaf, n=n: leaf[n], clip) for n in numbers]
            return dataclasses.replace(jax.tree.map(lambda *leaves: jnp.stack(leaves), *frames), velocity=None)

        return rollout_stream(
            network, observe, clip.velocity[:-1], carry, finish=lambda numbers, result, finite: result, active=active
        )

    return run


def test_stream_gives_the_frames_of_the_rollout(stream, run, observation, begin, unknown):
    clip = without_frame(without_frame(observation, 1), 2)
    _, expected = run(clip, begin, unknown)
    carry, first = stream(part(clip, 0, 4), begin, np.array([True] * 3))
    last = jax.tree.map(lambda *leaves: np.concatenate(leaves), part(clip, 3, 6), unknown)
    _, second = stream(last, carry, np.array([True] * 3))
    np.testing.assert_allclose(np.concatenate([first, second]), expected, atol=1e-5)


def test_stream_leaves_inactive_frames_out(stream, observation, begin):
    clip = part(observation, 0, 4)
    before, first = stream(clip, begin, np.array([True, True, False]))
    first = np.asarray(first)
    assert np.abs(first[:2]).max() > 0
    assert (first[2] == 0).all()
    after, nothing = stream(clip, before, np.array([False] * 3))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    assert (np.asarray(nothing) == 0).all()


@pytest.mark.parametrize("cell", [2, 4])
def test_windows_give_the_frames_of_the_whole_picture(network, make_network, cell):
    network = network if cell == 2 else make_network(dataclasses.replace(network.config, cell=cell))
    values = np.random.default_rng(5).random((2, 48 * cell, 8 * cell, 3), np.float32)
    tall = Observation(
        values=values,
        known=np.ones_like(values),
        sigma=np.full_like(values, 0.1),
        time=np.arange(2, dtype=np.float32),
    )
    carry, rows = start(network.config, (48 * cell, 8 * cell)), 10
    assert rows + 2 * network.config.halo < 48  # several windows, the last of which overlaps the one before
    whole, windowed = (jax.jit(partial(rollout, network, rows=r))(tall, carry)[1] for r in (None, rows))
    np.testing.assert_allclose(windowed, whole, atol=1e-5)


@pytest.fixture(scope="module")
def gradient(make_network, observation) -> Callable:
    """The gradient of a weighted sum of the result by the input's values; options as for `rollout`.

    Of a network of one level and without motion, which compiles faster.
    """
    network = make_network(NetworkConfig(widths=(4,), encoder=((),), decoder=((),), reach=(1,)))
    carry = start(network.config, observation.values.shape[-3:-1])

    def loss(values, weight, **options):
        clip = dataclasses.replace(observation, values=values, velocity=None)
        return (weight * rollout(network, clip, carry, **options)[1]).sum()

    return partial(jax.jit(jax.grad(loss), static_argnames=("unroll", "remat")), observation.values)


def by_frame(gradient: jax.Array) -> np.ndarray:
    return np.abs(gradient).sum(axis=(1, 2, 3))


def only(frame: int, observation: Observation) -> np.ndarray:
    weight = np.zeros_like(observation.values)
    weight[frame] = 1
    return weight


def test_a_frame_sees_one_frame_ahead_and_no_further(gradient, observation):
    seen = by_frame(gradient(only(2, observation)))
    assert (seen[:4] > 0).all()
    assert (seen[4:] == 0).all()


def test_gradients_end_where_unroll_cuts_them(gradient, observation):
    assert (by_frame(gradient(only(5, observation))) > 0).all()
    cut = by_frame(gradient(only(5, observation), unroll=3))
    assert (cut[:3] == 0).all()
    assert (cut[3:] > 0).all()


def test_remat_gives_the_same_gradients(gradient, observation):
    weight = np.random.default_rng(0).standard_normal(observation.values.shape, np.float32)
    np.testing.assert_allclose(gradient(weight, remat=True), gradient(weight), rtol=1e-4, atol=1e-4)


def test_samples_known_exactly_stay(run, observation, begin, unknown):
    exact = dataclasses.replace(observation, sigma=np.zeros_like(observation.sigma))
    result, known = np.asarray(run(exact, begin, unknown)[1]), observation.known > 0
    np.testing.assert_allclose(result[known], observation.values[known], atol=1e-6)
    assert np.abs(result - observation.values)[~known].max() > 0.01


def test_values_of_unknown_samples_do_not_matter(run, observation, begin, unknown, whole):
    junk = dataclasses.replace(observation, values=np.where(observation.known > 0, observation.values, np.float32(7)))
    np.testing.assert_allclose(run(junk, begin, unknown)[1], whole[1], atol=1e-5)


def test_an_unknown_frame_leaves_the_carry_as_it_is(run, observation, begin):
    gap = without_frame(observation, 2)
    before, _ = run(part(gap, 1, 2), begin, part(gap, 3, 4))
    after, _ = run(part(gap, 2, 3), before, part(gap, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_next_held_is_the_next_frame_of_which_something_is_known():
    held = jnp.array([[1.0, 1, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]])
    assert next_held(held).tolist() == [[1, 2, 3], [3, 3, 3], [1, 3, 3]]


def test_look_ahead_skips_unknown_frames(observation):
    gap = without_frame(observation, 2)
    assert holds(jnp.asarray(gap.known)).tolist() == [1, 1, 0, 1, 1, 1]
    following = part(observation, 0, 1)
    gap, following = jax.tree.map(jnp.asarray, (gap, following))
    ahead = look_ahead(gap, following)
    for frame, expected in ((0, 1), (1, 3), (2, 3), (4, 5)):
        np.testing.assert_array_equal(ahead.values[frame], gap.values[expected])
    np.testing.assert_array_equal(ahead.values[5], following.values[0])
    assert look_ahead(gap).known[5].max() == 0


def test_hidden_state_stays_bounded(run, observation, begin):
    carry = begin
    for _ in range(50):
        carry, _ = run(observation, carry, part(observation, 0, 1))
    assert all(np.abs(h).max() <= 1 for h in carry.hidden)
    assert np.isfinite(carry.result).all()


def test_skipping_the_v_cycles_of_exact_frames_changes_nothing(network, run, observation, begin, unknown):
    known = np.ones_like(observation.known)
    known[1::2] = 0
    every_other = dataclasses.replace(observation, known=known, sigma=np.zeros_like(observation.sigma))
    expected = run(every_other, begin, unknown)
    result = jax.jit(partial(rollout, network, skip_exact=True))(every_other, begin)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), result, expected)
