"""The operators of repair's Wiener step: residuals come along the motion, and frames that do not fit count less."""

import itertools

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.residual_operators import CHROMA, CLASSES, COLOURS, LUMA, converted, restored_windows
from vdiff_jax.preprocess.colour import from_rgb

GREY = PixelFormat(kind="gray", full_range=True)
SPEED = 2


def moving(count: int, *, cut: int | None = None) -> list[Frame]:
    """A textured picture that moves; what the network removed of it moves along. From `cut` on it is another one."""
    rng = np.random.default_rng(0)
    made = []
    for n in range(count):
        y, x = np.mgrid[:64, :96]
        x = x + SPEED * n + (500 if cut is not None and n >= cut else 0)
        luma = 120 + 50 * np.sin(x / 5) * np.sin(y / 7) + 20 * np.sin((x + 2 * y) / 9)
        removed = 6 * np.sin(x / 3)
        result = np.rint(luma - removed).astype(np.uint8)
        given = np.clip(np.rint(luma + rng.normal(0, 1, luma.shape)), 0, 255).astype(np.uint8)
        made.append(Frame((result,), n, given=(given,), starts_shot=n in (0, cut)))
    return made


def test_the_residuals_around_show_what_the_network_removed():
    window = next(itertools.islice(restored_windows(moving(5), GREY), 2, None))
    rows = slice(0, 64)
    around = window.along_motion(rows, 3.0)
    terms, classes = window.luma(rows, 3.0, around, window.classes())
    assert len(terms) == LUMA
    assert classes.max() < CLASSES
    removed = 6 * np.sin((np.arange(96) + SPEED * 2) / 3)
    inside = (slice(8, -8), slice(12, -12))
    for term in (terms[18], terms[20]):  # of the frames at distance 1 and 2
        expected = np.broadcast_to(2 * removed, term.shape)
        assert np.corrcoef(term[inside].ravel(), expected[inside].ravel())[0, 1] > 0.9
    assert np.median(around.mismatch[inside]) < 1


def test_nothing_is_taken_across_a_cut_and_a_single_frame_fits_nothing():
    for window in restored_windows(moving(2, cut=1), GREY):
        around = window.along_motion(slice(0, 64), 3.0)
        assert not any(term.any() for term in around.terms)
        assert np.isinf(around.mismatch).all()
        _, classes = window.luma(slice(0, 64), 3.0, around, window.classes())
        assert (classes % 3 == 2).all()


def test_red_green_and_blue_are_filtered_as_luma_and_chroma():
    rng = np.random.default_rng(1)
    pixels = PixelFormat(kind="rgb", full_range=True)
    result, given = (tuple(rng.integers(0, 256, (3, 48, 64), np.uint8)) for _ in range(2))
    (window,) = restored_windows([Frame(result, 0, given=given)], pixels)
    expected = np.einsum("ij,jyx->iyx", from_rgb("bt601"), np.stack(result) / 255)
    np.testing.assert_allclose(np.stack(converted(result, pixels)), expected, atol=1e-6)
    rows = slice(5, 20)
    terms, _ = window.luma(rows, 3.0, window.along_motion(rows, 3.0), window.classes(), rows.start)
    assert len(terms) == LUMA + COLOURS
    residual = np.einsum("ij,jyx->iyx", from_rgb("bt601"), np.stack(given).astype(float) - np.stack(result))
    np.testing.assert_allclose(terms[-1], residual[2, rows], atol=1e-3)
    chroma = window.chroma(1, rows) + window.chroma_along_motion(1, rows, 3.0)
    assert len(chroma) == CHROMA
    np.testing.assert_allclose(chroma[6], residual[1, rows], atol=1e-3)


def test_noise_of_red_green_and_blue_is_shared_and_grain_is_not():
    rng = np.random.default_rng(2)
    pixels = PixelFormat(kind="rgb", full_range=True)
    result = (np.full((64, 96), 128, np.uint8),) * 3
    for planes, shared in ((3, True), (1, False)):
        noise = np.broadcast_to(rng.normal(0, 10, (planes, 64, 96)), (3, 64, 96))
        given = tuple(np.rint(128 + noise).astype(np.uint8))
        (window,) = restored_windows([Frame(result, 0, given=given)], pixels)
        assert window.noise_is_shared() == shared
