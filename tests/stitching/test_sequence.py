import numpy as np
import pytest

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching import joins
from vdiff_jax.stitching.source import planes_of, rgb_of
from vdiff_jax.stitching.stitch import stitch

RATE = 20.0


def test_overlapping_takes_are_found_matched_and_joined(wide):
    darker = np.rint(wide[10:] * np.array([0.8, 0.9, 0.85])).astype(np.uint8)
    made = stitch([wide[:16], darker], layout="sequence", rates=[RATE, RATE])
    assert made.report["joins"][0]["kind"] == "overlap"
    assert made.report["joins"][0]["overlap_frames"] == 6
    np.testing.assert_allclose(made.report["inputs"][1]["gain_rgb"], 1 / np.array([0.8, 0.9, 0.85]), rtol=0.01)
    assert made.clip.shape == wide.shape
    assert np.abs(made.clip.astype(int) - wide).max() <= 3


def test_different_clips_are_cut_or_bridged(wide):
    other = np.ascontiguousarray(wide[:8, ::-1, ::-1])
    cut = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE])
    assert len(cut.clip) == 16
    assert cut.report["joins"][0]["kind"] == "cut"
    bridged = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE], bridge=3)
    assert len(bridged.clip) == 19
    np.testing.assert_array_equal(bridged.clip[:8], wide[:8])
    calls = []

    def interpolate(first, second, count):
        calls.append((first, second))
        return [first] * count

    given = stitch([wide[:8], other], layout="sequence", rates=[RATE, RATE], bridge=2, interpolate=interpolate)
    np.testing.assert_array_equal(given.clip[8:10], wide[[7, 7]])
    np.testing.assert_array_equal(calls[0][0], wide[7])


def test_size_and_rate_are_the_first_ones(wide):
    small = np.ascontiguousarray(wide[:10, ::2, 80:340:2])
    made = stitch([wide[:10], small], layout="sequence", rates=[20.0, 10.0])
    assert made.rate == 20.0
    assert made.clip.shape == (30, *wide.shape[1:])
    # The second clip is as high as the film, with black on both sides.
    assert made.clip[20, :, 130:390].max(axis=-1).min() > 0
    assert made.clip[20, :, :120].max() == 0


@pytest.mark.parametrize(("old", "new", "count", "expected"), [(10, 20, 5, 10), (30, 20, 30, 20), (25, 25, 7, 7)])
def test_a_change_of_rate_keeps_the_length(old, new, count, expected):
    frames = ((n / old, np.full((2, 2, 3), n, np.uint8)) for n in range(count))
    shown = [int(frame[0, 0, 0]) for frame in joins.at_rate(frames, float(new), 1 / old)]
    assert len(shown) == expected
    assert shown == sorted(shown)
    assert all(abs(index / new - frame / old) <= 0.5 / min(old, new) + 0.5 / old for index, frame in enumerate(shown))


def test_a_bridge_moves_what_moves():
    rng = np.random.default_rng(0)
    picture = np.repeat(np.repeat(rng.integers(30, 220, (30, 40, 3)), 4, axis=0), 4, axis=1).astype(np.uint8)
    first, second = picture[:, :140], picture[:, 8:148]
    middle = joins.bridge(np.ascontiguousarray(first), np.ascontiguousarray(second), 1)[0]
    inner = (slice(16, -16), slice(24, -24))
    moved = np.abs(middle[inner].astype(int) - picture[:, 4:144][inner]).mean()
    faded = np.abs((first[inner].astype(int) + second[inner]) // 2 - picture[:, 4:144][inner]).mean()
    assert moved < 0.4 * faded


def test_auto_says_why(rig, wide):
    panorama = stitch([clip[:8] for clip in rig.clips], rates=[RATE, RATE])
    assert panorama.report["plan"]["layout"] == "panorama"
    assert "overlap" in panorama.report["plan"]["why"]
    noise = np.random.default_rng(0).integers(0, 255, (4, 20, 20, 3)).repeat(8, 1).repeat(10, 2).astype(np.uint8)
    film = stitch([wide[:4, :160, :200], noise], rates=[RATE, RATE])
    assert film.report["plan"]["layout"] == "sequence"
    assert "don't overlap enough" in film.report["plan"]["why"]


def test_bad_options_are_named(wide):
    with pytest.raises(StitchError, match="1 input"):
        stitch([wide[:4]])
    with pytest.raises(StitchError, match="1 input"):
        stitch([wide[:4]], layout="sequence")
    with pytest.raises(OptionError, match="bridge -1"):
        stitch([wide[:4], wide[4:8]], layout="sequence", bridge=-1)
    with pytest.raises(StitchError, match="1 rates for 2 inputs"):
        stitch([wide[:4], wide[4:8]], rates=[25.0])


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_fast_colour_is_the_exact_one(full_range, subsampling):
    from vdiff_jax.media import PixelFormat
    from vdiff_jax.media.colour import from_rgb, to_rgb

    pixels = PixelFormat(kind="yuv", subsampling=subsampling, full_range=full_range)
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 40), np.linspace(0.2, 0.8, 30))
    rgb = np.stack([x, y, 0.5 + 0.3 * np.sin(6 * x)], axis=-1)
    planes = from_rgb(rgb, pixels)
    exact = np.rint(to_rgb(planes, pixels).clip(0, 1) * 255).astype(int)
    assert np.abs(rgb_of(planes, pixels).astype(int) - exact).max() <= 2
    back = planes_of(np.rint(rgb * 255).astype(np.uint8), pixels)
    for plane, expected in zip(back, planes):
        assert np.abs(plane.astype(int) - expected).max() <= 2
