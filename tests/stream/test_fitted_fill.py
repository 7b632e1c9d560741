"""The fill of one tile, beside its compiled form."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.preprocess import small_holes as compiled
from vdiff_jax.stream.fitted_fill import fitted_fill, tiles

SIZE = (66, 91)


@pytest.fixture(scope="module")
def case():
    """Fine texture with a fifth of its samples hidden; one neighbour is the same with noise, the other is unrelated."""
    rng = np.random.default_rng(3)
    first, second = (cv2.GaussianBlur(rng.random(SIZE, np.float32), (0, 0), 1.0)[None] for _ in range(2))
    noisy = first + 0.003 * rng.standard_normal(first.shape, np.float32)
    hidden = rng.random(SIZE) < 0.2
    return first, hidden, [noisy, second]


def exact(neighbours):
    return [(planes, np.zeros(planes.shape[1:], np.float32)) for planes in neighbours]


def error(filled, truth, where):
    return np.sqrt(np.mean(np.square(filled - truth)[0][where]))


def test_it_agrees_with_the_compiled_form(case):
    truth, hidden, neighbours = case
    # The compiled form takes whole cells only.
    part = slice(0, 64), slice(0, 88)
    truth, hidden, neighbours = truth[(..., *part)], hidden[part], [planes[(..., *part)] for planes in neighbours]
    image = np.where(hidden, 1, truth)
    filled, expected = fitted_fill(image, hidden, exact(neighbours))
    values = jnp.asarray(image), jnp.asarray(~hidden, jnp.float32), jnp.asarray(np.stack(neighbours))
    other, other_expected = jax.jit(compiled.fill_small_holes)(*values)
    assert error(filled, np.asarray(other), hidden) < 0.2 * error(filled, truth, hidden)
    np.testing.assert_allclose(expected[hidden].mean(), other_expected[hidden].mean(), rtol=0.1)


def test_a_good_neighbour_is_used_and_an_unrelated_one_is_not(case):
    truth, hidden, (good, unrelated) = case
    image = np.where(hidden, 0, truth)
    errors = {}
    for name, neighbours in {"none": [], "good": [good], "both": [good, unrelated], "unrelated": [unrelated]}.items():
        filled, expected = fitted_fill(image, hidden, exact(neighbours))
        np.testing.assert_array_equal(filled[0][~hidden], truth[0][~hidden])
        errors[name] = error(filled, truth, hidden)
        assert 0.5 < np.sqrt(np.mean(np.square(expected[hidden]))) / errors[name] < 2
    assert errors["good"] < 0.6 * errors["none"]
    assert errors["both"] < 1.1 * errors["good"]
    assert errors["unrelated"] < 1.1 * errors["none"]


def test_a_neighbour_with_holes_in_the_same_places_is_known_to_be_worth_less(case):
    truth, hidden, (good, _) = case
    image, damaged = np.where(hidden, 0, truth), np.where(hidden, 0.5, good)
    _, expected = fitted_fill(image, hidden, exact([good]))
    worst, worse = (
        fitted_fill(image, hidden, [(damaged, np.where(hidden, np.float32(error), np.float32(0)))])[1]
        for error in (np.inf, 0.003)
    )
    assert worst[hidden].mean() > 2 * expected[hidden].mean()
    assert worst[hidden].mean() > worse[hidden].mean() > expected[hidden].mean()


def test_tiles_cover_what_is_wanted_and_their_margin_suffices():
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.random((90, 700), np.float32), (0, 0), 1.0)[None]
    hidden = np.zeros(image.shape[1:], bool)
    hidden[20:80, 300:500] = rng.random((60, 200)) < 0.1
    whole, _ = fitted_fill(image, hidden, [])
    covered = np.zeros_like(hidden)
    found = list(tiles(hidden))
    for tile in found:
        filled, _ = fitted_fill(image[(..., *tile.seen)], hidden[tile.seen], [])
        np.testing.assert_allclose(filled[(..., *tile.inner)], whole[(..., *tile.own)], atol=0.5 / 255)
        covered[tile.own] = True
    assert len(found) == 2
    assert covered[hidden].all()
    assert covered.sum() < 0.25 * covered.size
