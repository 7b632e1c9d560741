import numpy as np
import pytest

from vdiff_jax.errors import ClipError
from vdiff_jax.media import PixelFormat
from vdiff_jax.media.colour import from_rgb, to_rgb
from vdiff_jax.stitching import source
from vdiff_jax.stitching.source import ArraySource, NearestFrames, planes_to_rgb, rgb_to_planes


def test_the_nearest_frame_is_found_at_any_rate():
    clip = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    reader = NearestFrames(ArraySource(clip, "clip", 20.0), 0.5)
    assert reader.at(0.4) is None
    shown = [int(reader.at(0.5 + n / 30)[0, 0, 0]) for n in range(30)]
    assert shown == [int(np.floor(n * 20 / 30 + 0.5)) for n in range(30)]
    assert reader.at(0.5 + 25 / 20) is None


def test_a_frame_is_shown_until_the_next_one():
    """Frames at 0, 0.1 and 0.2 s, then one at 0.8 s."""

    class Uneven(ArraySource):
        def frames(self):
            for (_, frame), time in zip(super().frames(), (0.0, 0.1, 0.2, 0.8)):
                yield time, frame

    clip = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    reader, now, shown = NearestFrames(Uneven(clip, "clip", 10.0), 0.0), 0.0, {}
    while (frame := reader.at(now)) is not None:
        shown[round(now, 3)] = int(frame[0, 0, 0])
        now = reader.after(now)
    assert shown == {0: 0, 0.1: 1, 0.2: 2, 0.3: 2, 0.4: 2, 0.5: 2, 0.6: 2, 0.7: 2, 0.8: 3}


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_integer_colour_conversion_equals_the_exact_one(full_range, subsampling):
    pixels = PixelFormat(kind="yuv", subsampling=subsampling, full_range=full_range)
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 40), np.linspace(0.2, 0.8, 30))
    rgb = np.stack([x, y, 0.5 + 0.3 * np.sin(6 * x)], axis=-1)
    planes = from_rgb(rgb, pixels)
    exact = np.rint(to_rgb(planes, pixels).clip(0, 1) * 255).astype(int)
    assert np.abs(planes_to_rgb(planes, pixels).astype(int) - exact).max() <= 2
    back = rgb_to_planes(np.rint(rgb * 255).astype(np.uint8), pixels)
    for plane, expected in zip(back, planes):
        assert np.abs(plane.astype(int) - expected).max() <= 2


def test_float_clips_become_uint8_and_other_values_are_refused():
    clip = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 4, 4, 3)
    ((time, frame),) = ArraySource(clip, "clip", 25.0).frames()
    assert time == 0
    np.testing.assert_array_equal(frame, np.rint(clip[0] * 255))
    with pytest.raises(ClipError, match="clip has dtype int32"):
        ArraySource(clip.astype(np.int32), "clip", 25.0)
    for wrong in (clip * 2, clip - np.float32(np.nan)):
        with pytest.raises(ClipError, match=r"outside \[0, 1\]"):
            next(iter(ArraySource(wrong, "clip", 25.0).frames()))


def test_brightness_and_duration():
    dark = np.zeros((36, 36, 3), np.uint8)
    assert not source.is_bright(dark)
    assert source.is_bright(np.full_like(dark, 60))
    assert source.duration(ArraySource(dark[None].repeat(10, 0), "clip", 20.0)) == 0.5
