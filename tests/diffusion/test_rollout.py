"""Properties of the recurrence: cut or not, batched or not, causal up to its look-ahead, bounded."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.diffusion.rollout import look_ahead, rollout
from vdiff_jax.diffusion.step import _move_ahead, impose, start
from vdiff_jax.observation import Observation


def part(observation: Observation, begin: int, end: int) -> Observation:
    return jax.tree.map(lambda leaf: leaf[begin:end], observation)


def nothing(observation: Observation) -> Observation:
    """A frame of which nothing is known."""
    return jax.tree.map(lambda leaf: jnp.zeros_like(leaf[:1]), observation)


def begin(network, observation):
    return start(network.config, observation.values.shape[-3:-1])


@pytest.mark.parametrize("cuts", [(0, 3, 6), (0, 1, 2, 3, 4, 5, 6)])
def test_cut_into_chunks_equals_whole(network, run, observation, cuts):
    _, whole = run(observation, begin(network, observation), nothing(observation))
    carry, parts = begin(network, observation), []
    for a, b in itertools.pairwise(cuts):
        following = part(observation, b, b + 1) if b < 6 else nothing(observation)
        carry, result = run(part(observation, a, b), carry, following)
        parts.append(result)
    np.testing.assert_allclose(jnp.concatenate(parts), whole, atol=1e-5)


def test_batch_equals_single(network, run, observation):
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), observation)
    carry = start(network.config, (2, *observation.values.shape[-3:-1]))
    _, together = rollout(network, batch, carry)
    for n in range(2):
        single = jax.tree.map(lambda leaf, n=n: leaf[n], batch)
        _, alone = run(single, begin(network, observation), nothing(observation))
        np.testing.assert_allclose(together[n], alone, atol=1e-5)


@pytest.mark.parametrize("rows", [2, 6, 10])
def test_in_windows_equals_whole(network, rows):
    values = jax.random.uniform(jax.random.key(5), (2, 96, 12, 3))
    tall = Observation(
        values=values, known=jnp.ones_like(values), sigma=jnp.full_like(values, 0.1), time=jnp.arange(2.0)
    )
    whole = rollout(network, tall, begin(network, tall))[1]
    assert rows + 2 * network.config.halo < 48  # or there is but one window
    windowed = rollout(network, tall, begin(network, tall), rows=rows)[1]
    np.testing.assert_allclose(windowed, whole, atol=1e-5)


def test_a_frame_sees_one_frame_ahead_and_no_further(network, observation):
    def frame_two(values):
        clip = dataclasses.replace(observation, values=values)
        return rollout(network, clip, begin(network, observation))[1][2].sum()

    seen = jnp.abs(jax.grad(frame_two)(observation.values)).sum(axis=(1, 2, 3))
    assert (seen[:4] > 0).all()
    assert (seen[4:] == 0).all()


def test_what_is_known_exactly_stays(network, run, observation):
    exact = dataclasses.replace(observation, sigma=jnp.zeros_like(observation.sigma))
    _, result = run(exact, begin(network, exact), nothing(exact))
    known = observation.known > 0
    np.testing.assert_allclose(result[known], observation.values[known], atol=1e-6)
    assert jnp.abs(result - observation.values)[~known].max() > 0.01


def test_what_stands_in_a_hole_does_not_matter(network, run, observation):
    junk = dataclasses.replace(observation, values=jnp.where(observation.known > 0, observation.values, 7.0))
    _, expected = run(observation, begin(network, observation), nothing(observation))
    _, result = run(junk, begin(network, observation), nothing(observation))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_a_frame_that_holds_nothing_leaves_the_state(network, run, observation):
    known = observation.known.at[2].set(0)
    gap = dataclasses.replace(observation, known=known)
    before, _ = run(part(gap, 1, 2), begin(network, gap), part(gap, 3, 4))
    after, _ = run(part(gap, 2, 3), before, part(gap, 3, 4))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_look_ahead_passes_over_frames_that_hold_nothing(observation):
    gap = dataclasses.replace(observation, known=observation.known.at[2].set(0))
    ahead = look_ahead(gap)
    np.testing.assert_array_equal(ahead.values[1], gap.values[3])
    np.testing.assert_array_equal(ahead.values[2], gap.values[3])
    assert ahead.known[5].max() == 0


def test_gradient_ends_where_it_is_cut(network, observation):
    def last(values, unroll):
        clip = dataclasses.replace(observation, values=values)
        return rollout(network, clip, begin(network, observation), unroll=unroll)[1][5].sum()

    whole = jnp.abs(jax.grad(lambda v: last(v, None))(observation.values)).sum(axis=(1, 2, 3))
    cut = jnp.abs(jax.grad(lambda v: last(v, 3))(observation.values)).sum(axis=(1, 2, 3))
    assert (whole > 0).all()
    # Frame 3 is looked at ahead by none of the frames after the cut but itself.
    assert (cut[:3] == 0).all()
    assert (cut[3:] > 0).all()


def test_remat_changes_nothing(network, observation):
    def loss(values, remat):
        clip = dataclasses.replace(observation, values=values)
        return (rollout(network, clip, begin(network, observation), remat=remat)[1] ** 2).sum()

    plain, again = (jax.grad(loss)(observation.values, remat) for remat in (False, True))
    np.testing.assert_allclose(plain, again, rtol=1e-4, atol=1e-4)


def test_hidden_state_stays_bounded(network, run, observation):
    carry = begin(network, observation)
    for _ in range(50):
        carry, _ = run(observation, carry, part(observation, 0, 1))
    assert all(jnp.abs(h).max() <= 1 for h in carry.hidden)
    assert jnp.isfinite(carry.result).all()


def test_impose_keeps_noisy_samples_free(observation):
    z = jnp.zeros_like(observation.values)
    np.testing.assert_array_equal(impose(z, observation), z)


def test_saving_the_v_cycles_of_exact_frames_changes_nothing(network, run, observation):
    whole = jnp.ones_like(observation.known).at[1::2].set(0)
    every_other = dataclasses.replace(observation, known=whole, sigma=jnp.zeros_like(observation.sigma))
    expected = run(every_other, begin(network, every_other), nothing(every_other))
    result = rollout(network, every_other, begin(network, every_other), skip_exact=True)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), result, expected)


def test_a_clean_frame_ahead_is_moved_by_fractions_of_a_pixel(observation):
    ramp = jnp.broadcast_to(jnp.arange(12.0)[None, None, :, None] / 12, observation.values.shape)
    ahead = dataclasses.replace(part(observation, 0, 1), values=ramp[:1], known=jnp.ones_like(ramp[:1]))
    ahead = jax.tree.map(lambda leaf: leaf[0], ahead)
    velocity = jnp.full((2, 3, 4), 0.4)
    between = _move_ahead(ahead, velocity, jnp.array(0.0)).values
    held = _move_ahead(ahead, velocity, jnp.array(1.0)).values
    np.testing.assert_allclose((between - held)[:, :4], 0.4 / 12, atol=1e-5)
