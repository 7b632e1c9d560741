"""Which variant is chosen, and that it decodes as predicted (closed_loop.py, interpolation.py, probes.py)."""

import logging
import time

import cv2
import numpy as np
import pytest

import vdiff_jax.compression.decoder as decoder
from vdiff_jax import media
from vdiff_jax.compression import decompress
from vdiff_jax.compression.attachment_choice import choose_attachment
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.probes import Prober, luma_psnr
from vdiff_jax.compression.track import smaller_variants
from vdiff_jax.compression.track_choice import choose_track
from vdiff_jax.errors import WeightsError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime import checkpoints
from vdiff_jax.runtime.stopwatch import Stopwatch

WITHOUT_LIMIT = Budget("best", Stopwatch())
PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")


@pytest.fixture(scope="module")
def half_rate(source, tmp_path_factory, open_encoder):
    """The choice for a clip of even motion, luma's predicted PSNR, and the compressed file."""
    folder = tmp_path_factory.mktemp("half_rate")
    encoder = open_encoder(source, folder, crf=38.0, interpolation_weights="fast")
    choice = choose_track(encoder, Prober(encoder, None), encoder.track(), WITHOUT_LIMIT)
    attachment, info = choose_attachment(encoder, choice.track), encoder.source.info
    path, variant = folder / "small.mkv", choice.track.variant
    media.remux(choice.track.path, path, attachment.packed, variant.info(info), copy_from=source)
    shown = attachment.loop.shown(attachment.attachment)
    return choice, luma_psnr(encoder.sampler.with_all_frames(attachment.loop.samples, shown, variant), PIXELS), path


def test_half_rate_is_chosen_where_it_is_better(half_rate, read_frames):
    choice, _, path = half_rate
    *_, whole, half = choice.compared
    assert half.variant == choice.track.variant
    assert half.variant.half_rate
    assert not whole.variant.half_rate
    assert half.size <= whole.size
    assert half.psnr >= whole.psnr + 0.1
    assert len(read_frames(path)) == 8


def test_half_rate_decodes_to_all_frames_as_predicted(half_rate, source, tmp_path, read_frames):
    _, expected, path = half_rate
    decompress(path, tmp_path / "large.mkv", codec="ffv1")
    large, truth = read_frames(tmp_path / "large.mkv"), read_frames(source)
    for frame, other in zip(large, truth, strict=True):
        assert abs(frame.pts / 1000 - other.pts / 12288) < 1e-3
    assert media.probe(tmp_path / "large.mkv").rate == media.probe(source).rate
    scores = [cv2.PSNR(a.planes[0], b.planes[0]) for a, b in zip(large, truth, strict=True)]
    assert np.mean(scores) == pytest.approx(expected, abs=0.02)


def test_interpolation_that_was_stopped_goes_on_where_it_was(half_rate, tmp_path, monkeypatch, read_frames, caplog):
    monkeypatch.setattr(checkpoints, "_SHORTEST", 8)
    monkeypatch.setattr(checkpoints, "_LONGEST", 8)
    whole, stopped, advanced = tmp_path / "whole.mkv", tmp_path / "stopped.mkv", []
    advance = Restorer.advance
    monkeypatch.setattr(Restorer, "advance", lambda *given, **options: advanced.append(1) or advance(*given, **options))
    decompress(half_rate[2], whole, codec="ffv1")
    every = len(advanced)

    def stop(frames):
        until = time.monotonic() + 20
        while frames == 11 and time.monotonic() < until:
            if list(tmp_path.glob("stopped.mkv.resume/[0-9]*.json")):
                raise KeyboardInterrupt
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        decompress(half_rate[2], stopped, codec="ffv1", progress=stop)
    done = []
    advanced.clear()
    with caplog.at_level(logging.INFO):
        decompress(half_rate[2], stopped, codec="ffv1", resume=True, progress=done.append)
    assert done == list(range(10, 15))
    assert len(advanced) < every
    assert "continues after frame 9; the others are restored again" in caplog.text
    for one, other in zip(read_frames(whole), read_frames(stopped), strict=True):
        assert one.pts == other.pts
        for a, b in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_other_interpolation_weights_are_reported(half_rate, tmp_path, monkeypatch):
    monkeypatch.setattr(decoder, "identities", lambda weights: frozenset())
    with pytest.raises(WeightsError, match="compressed with weights fast"):
        decompress(half_rate[2], tmp_path / "large.mkv", codec="ffv1")


def write(path, size, pictures):
    with media.open_writer(path, media.VideoInfo(width=size[0], height=size[1], pixels=PIXELS), codec="ffv1") as writer:
        for n, luma in enumerate(pictures):
            chroma = cv2.resize(luma, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
            writer.write(Frame((luma, 255 - chroma // 2, chroma // 2 + 60), n, 1))
    return path


def test_half_rate_is_not_probed_where_frames_can_not_be_predicted(tmp_path, open_encoder):
    """A picture that shakes at random."""
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (128, 192)).astype(np.float32), (0, 0), 1.2).astype(np.uint8)
    corners = rng.integers(0, 32, (9, 2))
    path = write(tmp_path / "shaken.mkv", (128, 96), [texture[y : y + 96, x : x + 128] for y, x in corners])
    encoder = open_encoder(path, tmp_path, crf=24.0, interpolation_weights="fast")
    track = encoder.track()
    choice = choose_track(encoder, Prober(encoder, None), track, WITHOUT_LIMIT)
    assert choice.track is track
    assert not any(probe.variant.half_rate for probe in choice.tried)


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    """A soft film without hard edges, as if it had been enlarged."""
    noise = np.random.default_rng(1).uniform(0, 255, (160, 200)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    texture = np.clip(128 + 9 * (texture - texture.mean()), 16, 235).astype(np.uint8)
    pictures = [texture[n : n + 96, 3 * n : 3 * n + 128] for n in range(8)]
    return write(tmp_path_factory.mktemp("soft") / "soft.mkv", (128, 96), pictures)


def test_a_smaller_track_is_chosen_where_it_is_better_and_decodes_as_predicted(
    soft, tmp_path, open_encoder, read_frames
):
    encoder = open_encoder(soft, tmp_path, crf=44.0)
    plain = encoder.track()
    choice = choose_track(encoder, Prober(encoder, None), plain, WITHOUT_LIMIT)
    track = choice.track
    assert track.variant in smaller_variants(encoder.source.info)
    assert track.size <= plain.size
    packed = choose_attachment(encoder, track).packed
    media.remux(track.path, tmp_path / "small.mkv", packed, encoder.source.info, copy_from=None)
    assert media.probe(tmp_path / "small.mkv").height == track.variant.shape[0]
    decompress(tmp_path / "small.mkv", tmp_path / "large.mkv", codec="ffv1")
    large = read_frames(tmp_path / "large.mkv")
    assert [frame.pts for frame in large] == [frame.pts for frame in read_frames(soft)]
    assert large[0].planes[0].shape == (96, 128)
    (sample,) = encoder.sampler.of_track(plain)
    before, after = (luma_psnr([s], PIXELS) for s in (sample, sample._replace(decoded=large)))
    assert after > before + 0.1
    assert after == pytest.approx(choice.compared[1].psnr, abs=0.02)


def test_a_smaller_track_is_not_chosen_for_finely_coded_video(soft, tmp_path, open_encoder):
    encoder = open_encoder(soft, tmp_path, crf=8.0)
    track = encoder.track()
    choice = choose_track(encoder, Prober(encoder, None), track, WITHOUT_LIMIT)
    assert choice.track is track
    assert [probe.variant for probe in choice.tried] == [encoder.whole]
