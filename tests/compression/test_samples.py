"""Which frames the samples consist of. Samples of tracks are tested in test_target_quality.py."""

import numpy as np

from vdiff_jax.compression import samples as samples_module
from vdiff_jax.compression.samples import Sample, choose_windows, cut, measured_part, probed_windows, split
from vdiff_jax.compression.track import Variant
from vdiff_jax.pixels import Frame


def test_samples_of_a_long_video_lie_all_over_it():
    windows = choose_windows(10_000, 640 * 360)
    assert [len(window) for window in windows] == [12] * 8
    assert windows[0].start > 400
    assert windows[-1].stop < 9_600
    assert all(window.start % 2 == 0 for window in windows)
    frames = [Frame((np.full((2, 2), n % 256, np.uint8),), n) for n in range(10_000)]
    runs = cut(iter(frames), windows)
    assert [[frame.pts for frame in run] for run in runs] == [list(window) for window in windows]


def test_a_short_video_is_sampled_as_a_whole():
    assert choose_windows(20, 640 * 360) == [range(20)]
    assert measured_part(range(20), 20) == slice(None)


def test_the_ends_of_a_sample_are_not_measured():
    assert all(measured_part(window, 10_000) == slice(2, 10) for window in choose_windows(10_000, 640 * 360))


def test_large_frames_have_several_samples_of_which_probes_encode_some():
    windows = choose_windows(120, 1280 * 720)
    assert [len(window) for window in windows] == [8] * 5
    assert probed_windows(windows, 120, 1280 * 720) == [windows[2]]
    assert probed_windows(choose_windows(10_000, 640 * 360), 10_000, 640 * 360) == choose_windows(10_000, 640 * 360)


def test_some_samples_of_a_track_are_completed_by_their_own_source(source, tmp_path, open_encoder, monkeypatch):
    monkeypatch.setattr(samples_module, "_FRAMES", 4)
    monkeypatch.setattr(samples_module, "_LEAST_PIXELS", 80_000)
    encoder = open_encoder(source, tmp_path, crf=30.0)
    track = encoder.encode(30.0)
    samples = encoder.sampler.of_track(track)
    assert len(samples) == 3
    [last] = encoder.sampler.with_all_frames(samples[-1:], [samples[-1].decoded], Variant(encoder.shape))
    for whole, own in zip(last.source, samples[-1].source, strict=True):
        np.testing.assert_array_equal(whole.planes[0], own.planes[0])


def sample_of(start, length, side=100):
    frames = [Frame((np.zeros((side, side), np.uint8),), start + n) for n in range(length)]
    return Sample(frames, frames, slice(2, length - 2))


def shown(samples):
    return [[frame.pts for frame in sample.decoded] for sample in samples]


def test_fewer_samples_lie_all_over_the_video():
    samples = [sample_of(100 * n, 12) for n in range(6)]
    chosen, others = split(samples, 24 * 10_000)
    assert shown(chosen) == [list(range(100, 112)), list(range(400, 412))]
    assert [numbers[0] // 100 for numbers in shown(others)] == [n for n in range(len(samples)) if n not in (1, 4)]
    assert shown(split(samples, 1_000_000)[0]) == shown(samples)


def test_a_sample_with_too_many_pixels_is_cut_to_its_middle():
    chosen, _ = split([sample_of(0, 40)], 12 * 10_000)
    assert shown(chosen) == [list(range(14, 26))]
    assert chosen[0].measured == slice(2, 10)
    assert shown(split([sample_of(0, 12)], 1)[0]) == [list(range(2, 10))]  # eight frames at least
