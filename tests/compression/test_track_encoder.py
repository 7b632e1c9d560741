"""Tracks of a given rate or size."""

import pytest

from vdiff_jax.compression.track import Variant


def test_a_bitrate_is_met(source, tmp_path, open_encoder):
    encoder = open_encoder(source, tmp_path, bitrate=150_000.0)
    track = encoder.track()
    assert 0.94 * 150_000 < track.rate <= 1.01 * 150_000
    assert track.size == pytest.approx(track.rate * track.seconds / 8)


def test_a_track_of_another_variant_takes_about_as_many_bytes_at_most(source, tmp_path, open_encoder):
    encoder = open_encoder(source, tmp_path)
    whole = encoder.encode(30.0)
    half = encoder.encode_within(whole.size, 26.0, Variant(encoder.shape, half_rate=True))
    assert half.crf > 26
    assert 0.5 * whole.size < half.size <= 1.05 * whole.size
    assert half.times == whole.times


def test_progress_counts_every_frame(source, tmp_path, open_encoder):
    counts = []
    encoder = open_encoder(source, tmp_path)
    encoder._progress = counts.append
    encoder.encode(40.0)
    assert counts == list(range(1, 15))
