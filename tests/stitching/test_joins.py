import numpy as np
import pytest

from vdiff_jax.stitching import joins


@pytest.mark.parametrize(("old", "new", "count", "expected"), [(10, 20, 5, 10), (30, 20, 30, 20), (25, 25, 7, 7)])
def test_a_change_of_rate_keeps_the_length(old, new, count, expected):
    frames = ((n / old, np.full((2, 2, 3), n, np.uint8)) for n in range(count))
    shown = [int(frame[0, 0, 0]) for frame in joins.resample(frames, float(new), 1 / old)]
    assert len(shown) == expected
    assert shown == sorted(shown)
    assert all(abs(index / new - frame / old) <= 0.5 / min(old, new) + 0.5 / old for index, frame in enumerate(shown))


def test_frames_of_a_slow_clip_begin_at_their_own_times():
    frames = ((n / 5, np.full((2, 2, 3), n, np.uint8)) for n in range(3))
    shown = [int(frame[0, 0, 0]) for frame in joins.resample(frames, 25.0, 0.2)]
    assert shown == [0] * 5 + [1] * 5 + [2] * 5


def test_a_still_scene_does_not_count_as_an_overlap(wide):
    still = joins.read_ends(iter(wide[:1].repeat(8, 0)))
    assert still.count == 8
    assert joins.find_join(still, still).overlap == 0


def test_only_a_clip_of_the_same_scene_is_matched_in_colour(wide):
    first, darker = joins.read_ends(iter(wide[:1])), np.rint(wide[10:11] * np.array([0.8, 0.8, 0.9])).astype(np.uint8)
    matched = joins.find_join(first, joins.read_ends(iter(darker)))
    np.testing.assert_allclose(matched.gain, 1 / np.sqrt([0.8, 0.8, 0.9]), rtol=0.03)
    red = np.zeros_like(wide[:1])
    red[..., 0] = 200
    red[:, 40:60, 60:200] = 255
    for other in (red, np.zeros_like(red), np.ascontiguousarray(wide[:1, ::-1, ::-1] // 2)):
        for pair in ((first, joins.read_ends(iter(other))), (joins.read_ends(iter(other)), first)):
            np.testing.assert_array_equal(joins.find_join(*pair).gain, 1)


def test_a_frame_with_wide_pixels_is_widened():
    fitted = joins.fit_to_size(np.full((20, 20, 3), 200, np.uint8), (80, 40), 1.5)
    assert (fitted[:, 10:70] == 200).all()
    assert (fitted[:, [*range(10), *range(70, 80)]] == 0).all()


def test_a_frame_whose_shape_only_seems_to_fit_is_scaled():
    """Widened, it is as wide as the result."""
    assert joins.fit_to_size(np.full((40, 106, 3), 200, np.uint8), (80, 40), 80 / 106).shape == (40, 80, 3)
    assert joins.fit_to_size(np.full((40, 80, 3), 200, np.uint8), (80, 40), 0.5)[:, :15].max() == 0


@pytest.mark.parametrize("shape", [(39, 79), (40, 79), (39, 80), (40, 80)])
def test_an_odd_size_becomes_even_without_a_change_to_any_pixel(shape):
    frame = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    fitted = joins.fit_to_size(frame, (80, 40))
    np.testing.assert_array_equal(fitted[: shape[0], : shape[1]], frame)
    np.testing.assert_array_equal(fitted[-1, -1], frame[-1, -1])
    assert fitted.shape == (40, 80, 3)


def test_a_frame_is_fitted_with_black_bars():
    fitted = joins.fit_to_size(np.full((40, 20, 3), 200, np.uint8), (80, 40))
    assert fitted.shape == (40, 80, 3)
    assert (fitted[:, 30:50] == 200).all()
    assert (fitted[:, :30] == 0).all()
    assert (fitted[:, 50:] == 0).all()
