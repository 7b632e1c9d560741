"""Tracks of a given rate or size."""

import pytest

from vdiff_jax.compression.track import Variant


def test_a_bitrate_is_met(source, tmp_path, open_encoder):
    encoder = open_encoder(source, tmp_path, bitrate=150_000.0)
    track = encoder.track()
    assert 0.94 * 150_000 < track.rate <= 1.01 * 150_000
    assert track.size == pytest.approx(track.rate * track.seconds / 8)


def test_a_bitrate_above_what_the_finest_quality_takes_is_named(source, tmp_path, open_encoder, caplog):
    track = open_encoder(source, tmp_path, bitrate=1_800_000.0, preset="ultrafast").track()
    assert track.crf == 1
    assert f"1,800,000 bits per second are more than libx264 takes at its finest, crf 1: {track.rate:,.0f}" in (
        caplog.text
    )


def test_a_track_of_another_variant_takes_about_as_many_bytes_at_most(source, tmp_path, open_encoder):
    encoder = open_encoder(source, tmp_path)
    whole = encoder.encode(30.0)
    half = encoder.encode_within(whole.size, 27.0, Variant(encoder.shape, half_rate=True))
    assert half.crf > 27
    assert 0.5 * whole.size < half.size <= 1.05 * whole.size
    assert half.times == whole.times


def test_progress_counts_every_frame(source, tmp_path, open_encoder):
    counts = []
    encoder = open_encoder(source, tmp_path)
    encoder._progress = counts.append
    encoder.encode(40.0)
    assert counts == list(range(1, 15))


def test_a_track_that_was_stopped_goes_on_where_it_was(source, tmp_path, open_encoder, monkeypatch):
    monkeypatch.setattr("vdiff_jax.compression.track_encoder._SEGMENT", 4)

    def encoder(folder, progress=lambda frames: None):
        folder.mkdir(exist_ok=True)
        made = open_encoder(source, folder)
        made._keep, made._progress = True, progress
        return made

    def stop(frames):
        if frames == 13:
            raise KeyboardInterrupt

    whole = encoder(tmp_path / "whole").encode(30.0)
    with pytest.raises(KeyboardInterrupt):
        encoder(tmp_path / "kept", stop).encode(30.0)
    resumed = encoder(tmp_path / "kept").encode(30.0)
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert resumed.times == whole.times
    # A track that is complete is not encoded again.
    assert encoder(tmp_path / "kept", stop).encode(30.0).times == whole.times
