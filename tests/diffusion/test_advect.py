"""Advection: known displacements of known images."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vdiff_jax.diffusion.advect import advect, advect_unshuffled, to_grid
from vdiff_jax.preprocess.grids import repeat, shuffle


def field(shape, x, y):
    return jnp.broadcast_to(jnp.array([x, y], jnp.float32), (*shape, 2))


@jax.jit
def advected_pixels(image, velocity):
    return advect(image, velocity)


@partial(jax.jit, static_argnames="nearest")
def advected_blocks(image, velocity, *, nearest=False):
    moved, inside = advect_unshuffled(image, velocity[..., ::2, ::2, :], nearest=nearest)
    return shuffle(moved), repeat(inside)


@jax.jit
def advected_nearest_blocks(image, velocity):
    return advected_blocks(image, velocity, nearest=True)


WAYS = [advected_pixels, advected_blocks, advected_nearest_blocks]


@pytest.mark.parametrize("way", WAYS)
def test_whole_pixels_move_exactly(way):
    image = np.random.default_rng(0).random((10, 12, 3), np.float32)
    moved, inside = way(jnp.asarray(image), field((10, 12), 2, -1))
    np.testing.assert_allclose(moved[2:, :-2], image[1:-1, 2:], atol=1e-6)
    assert inside[2:, :-2].min() == 1
    assert inside[:, -1].max() == 0


@pytest.mark.parametrize("way", WAYS)
def test_no_displacement_changes_nothing(way):
    image = np.random.default_rng(0).random((10, 12, 3), np.float32)
    moved, inside = way(jnp.asarray(image), field((10, 12), 0, 0))
    np.testing.assert_array_equal(moved, image)
    assert inside.min() == 1


def test_advect_takes_the_nearest_samples():
    image = np.random.default_rng(1).random((9, 11, 2), np.float32)
    flow = np.random.default_rng(2).uniform(-2, 2, (9, 11, 2)).astype(np.float32)
    moved, _ = advected_pixels(jnp.asarray(image), jnp.asarray(flow))
    y, x = np.mgrid[:9, :11].astype(np.float32)
    for c in range(2):
        expected = map_coordinates(image[..., c], np.rint([y + flow[..., 1], x + flow[..., 0]]), order=0)
        np.testing.assert_array_equal(moved[2:-2, 2:-2, c], expected[2:-2, 2:-2])


def test_blocks_are_interpolated_bilinearly():
    image = np.random.default_rng(1).random((10, 12, 2), np.float32)
    flow = np.random.default_rng(2).uniform(-1, 1, (5, 6, 2)).astype(np.float32).repeat(2, 0).repeat(2, 1)
    moved, _ = advected_blocks(jnp.asarray(image), jnp.asarray(flow))
    y, x = np.mgrid[:10, :12].astype(np.float32)
    for c in range(2):
        expected = map_coordinates(image[..., c], [y + flow[..., 1], x + flow[..., 0]], order=1, mode="nearest")
        np.testing.assert_allclose(moved[2:-2, 2:-2, c], expected[2:-2, 2:-2], atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_batches_do_not_mix(way):
    images = jnp.asarray(np.random.default_rng(3).random((2, 8, 8, 1), np.float32))
    flow = jnp.stack([field((8, 8), 1, 0), field((8, 8), 0, 2)])
    together, _ = way(images, flow)
    for n in range(2):
        alone, _ = way(images[n], flow[n])
        np.testing.assert_array_equal(together[n], alone)


@pytest.mark.parametrize(("factor", "shape"), [(1, (8, 16)), (2, (4, 8)), (4, (2, 4)), (8, (1, 2))])
def test_velocity_is_in_the_units_of_its_grid(factor, shape):
    velocity = field((2, 4), 8, -4)
    moved = to_grid(velocity, factor)
    assert moved.shape == (*shape, 2)
    np.testing.assert_allclose(moved[0, 0], [8 / factor, -4 / factor])


@pytest.mark.parametrize("nearest", [False, True])
def test_blocks_of_any_side_move_alike(nearest):
    image = jnp.asarray(np.random.default_rng(3).random((16, 24, 3), np.float32))
    velocity = jnp.broadcast_to(jnp.array([2.3, -1.6], jnp.float32), (16, 24, 2))
    small = advected_blocks(image, velocity, nearest=nearest)[0]
    large = shuffle(jax.jit(partial(advect_unshuffled, nearest=nearest))(image, velocity[::4, ::4])[0], 4)
    np.testing.assert_allclose(large[4:, :-4], small[4:, :-4], atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_a_part_of_a_frame_moves_as_the_whole(way):
    rng = np.random.default_rng(0)
    image = rng.random((40, 48, 3), np.float32)
    velocity = (rng.integers(-128, 129, (20, 24, 2)) / 64).astype(np.float32).repeat(2, 0).repeat(2, 1)
    top = 3 if way is advected_pixels else 2
    whole, part = way(image, velocity)[0], way(image[top:], velocity[top:])[0]
    np.testing.assert_array_equal(part[4:-4], whole[top + 4 : -4])
