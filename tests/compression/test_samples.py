"""Which frames the samples consist of. Samples of tracks are tested in test_target_quality.py."""

import numpy as np

from vdiff_jax.compression.samples import choose_windows, cut
from vdiff_jax.pixels import Frame


def test_samples_of_a_long_video_lie_all_over_it():
    windows = [window for window, _ in choose_windows(10_000, 640 * 360)]
    assert [len(window) for window in windows] == [12] * 4
    assert windows[0].start > 400
    assert windows[-1].stop < 9_600
    assert all(window.start % 2 == 0 for window in windows)
    frames = [Frame((np.full((2, 2), n % 256, np.uint8),), n) for n in range(10_000)]
    runs = cut(iter(frames), windows)
    assert [[frame.pts for frame in run] for run in runs] == [list(window) for window in windows]


def test_a_short_video_is_sampled_as_a_whole():
    assert choose_windows(40, 640 * 360) == [(range(40), slice(None))]


def test_the_ends_of_a_sample_are_not_measured():
    assert all(measured == slice(2, 10) for _, measured in choose_windows(10_000, 640 * 360))
