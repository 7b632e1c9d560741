"""The fit of the decoder's steps, on samples whose error is known."""

import dataclasses

import numpy as np
import pytest

from vdiff_jax.compression.attachment import Network
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.fit import NOTHING, Fit, fits, measure_error
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import ACTIVITIES, Moments, class_thresholds, moments, with_predicted_change
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import DIRECTIONS
from vdiff_jax.postprocess.wiener_operators import OPERATORS
from vdiff_jax.stream.compression_error import expected_error

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601", full_range=True)
SIGMA = np.full(3, 4.0)
NETWORK = Network(name="fast", digest=bytes(8))


def frames_of(rng, error: float) -> list[Frame]:
    shapes = PIXELS.plane_shapes(64, 48)
    planes = [[rng.normal(0, error, shape) for shape in shapes] for _ in range(5)]
    return [
        Frame(tuple(np.clip(128 + p, 0, 255).round().astype(np.uint8) for p in frame), n)
        for n, frame in enumerate(planes)
    ]


@pytest.fixture(scope="module")
def sample():
    """Grey frames, and noise of sigma 4, in 8-bit units, in place of a codec's error."""
    rng = np.random.default_rng(0)
    return Sample(frames_of(rng, 0.0), frames_of(rng, 4.0), slice(None))


class Loop(ClosedLoop):
    """A decoder without a network, or with one that returns the source."""

    def __init__(self, sample, *, runs_network=False):
        self.sample, self.restored = sample, sample.source if runs_network else sample.decoded
        self.thresholds = class_thresholds([sample], PIXELS, 8)

    def moments(self):
        return moments(self.sample, self.restored, PIXELS, SIGMA, [2.0 ** (n / 8) for n in self.thresholds])


def test_the_error_is_measured_in_eighths_of_an_octave(sample):
    error = measure_error([sample], PIXELS, None)
    assert error.absolute == error.relative
    np.testing.assert_allclose(error.absolute, [16] * 3, atol=1)  # log2(4) octaves


def test_the_relative_error_is_that_beside_the_quantisers_prediction(sample):
    quantised = [dataclasses.replace(frame, quantiser=30.0) for frame in sample.decoded]
    error = measure_error([sample._replace(decoded=quantised)], PIXELS, "h264")
    predicted = 8 * np.log2(255 * expected_error("h264", np.array([30.0], np.float32))[0])
    np.testing.assert_allclose(np.subtract(error.absolute, error.relative), predicted, atol=1)


def test_bytes_of_the_attachment_count_as_bytes_of_the_track(sample):
    error = measure_error([sample], PIXELS, None)
    best = fits(Loop(sample, runs_network=True), error, NETWORK)[-1]
    assert NOTHING.net_gain(1000) == 0
    assert best.net_gain(10**9) == pytest.approx(best.gain[0], abs=1e-3)
    assert best.net_gain(best.size) == pytest.approx(best.gain[0] - 3)  # twice the bytes
    assert Fit(best.wiener, None, best.gain).size < best.size


def test_the_fit_with_a_network_that_knows_the_source_gains_more(sample):
    error = measure_error([sample], PIXELS, None)
    fitted = fits(Loop(sample, runs_network=True), error, NETWORK)
    alone, both = fitted[: len(fitted) // 2], fitted[len(fitted) // 2 :]
    assert {fit.network for fit in alone} == {None}
    assert {fit.network for fit in both} == {NETWORK}
    assert both[0].gain[0] > alone[0].gain[0] + 3 > 3
    np.testing.assert_allclose(alone[0].gain, fits(Loop(sample), error, None)[0].gain)


def test_classes_of_a_picture_whose_halves_differ_gain_what_their_share_lets_expect():
    """One half is noise without a picture, which may be smoothed, the other is fine texture, which may not."""
    rng = np.random.default_rng(1)
    texture = np.where(np.indices((48, 64)).sum(axis=0) % 2, 40, -40) * (np.arange(64) >= 32)
    chroma = np.full((24, 32), 128, np.uint8)
    truth = [Frame(((128 + texture).astype(np.uint8), chroma, chroma), n) for n in range(5)]
    decoded = [
        Frame((np.clip(f.planes[0] + rng.normal(0, 4, (48, 64)), 0, 255).round().astype(np.uint8), chroma, chroma), n)
        for n, f in enumerate(truth)
    ]
    sample = Sample(truth, decoded, slice(None))
    loop = Loop(sample)
    one, by_activity, by_direction, both, most = (
        each.gain[0] for each in fits(loop, measure_error([sample], PIXELS, None), None)
    )
    assert by_activity > one + 0.2
    assert min(both, most) > one + 0.2
    assert by_direction > one - 1e-6


def test_merged_classes_are_those_that_were_never_split(sample):
    limits = [2.0 ** (n / 8) for n in class_thresholds([sample], PIXELS, 8)]
    split = moments(sample, sample.decoded, PIXELS, SIGMA, limits)
    assert split.error.shape == (5, ACTIVITIES * DIRECTIONS + 2)
    whole = split.merged(1, 1)
    np.testing.assert_allclose(whole.error.sum(axis=1), split.error.sum(axis=1), rtol=1e-5)
    for merged, other in zip(whole, moments(sample, sample.decoded, PIXELS, SIGMA)):
        shared = [slice(None)] * 2 + [slice(-OPERATORS, None)] * (merged.ndim - 2)
        np.testing.assert_allclose(merged[tuple(shared)], other, rtol=1e-3, atol=1e-3)
    by_activity = split.merged(2, 1)
    np.testing.assert_allclose(by_activity.error[:, :2].sum(axis=1), whole.error[:, 0], rtol=1e-5)


def test_the_change_of_a_network_that_ran_on_some_frames_is_predicted_in_the_others(sample):
    """The network halves the error and adds noise of its own."""
    rng = np.random.default_rng(2)
    restored = [
        Frame(tuple(np.uint8((a.astype(int) + b) / 2 + rng.normal(0, 1, a.shape)) for a, b in zip(*planes)), n)
        for n, planes in enumerate((s.planes, d.planes) for s, d in zip(sample.source, sample.decoded))
    ]
    whole = moments(sample, restored, PIXELS, SIGMA)
    plain = moments(sample, sample.decoded, PIXELS, SIGMA)
    run = Moments(*(part[:3] for part in whole))
    predicted = with_predicted_change(run, Moments(*(part[3:] for part in plain)))
    assert predicted.error.shape == whole.error.shape
    np.testing.assert_allclose(predicted.cross[3:, :, -1], whole.cross[3:, :, -1], rtol=0.1)
    np.testing.assert_allclose(predicted.gram[3:, :, -1, -1], whole.gram[3:, :, -1, -1], rtol=0.1)
    # The last terms before the network's change come in pairs that are nearly the same: only their sums are determined.
    sums = np.add.reduceat([predicted.best(), whole.best()], [*range(6), 6, 8, 10], axis=-1)
    np.testing.assert_allclose(*sums, atol=0.05)
    cross, gram = whole.by_class()

    def removed(coefficients):
        """The squared error that they remove, for each plane."""
        quadratic = np.einsum("pk,pkl,pl->p", coefficients, gram, coefficients)
        return -2 * np.einsum("pk,pk->p", coefficients, cross) - quadratic

    assert (removed(predicted.best()) > 0.9998 * removed(whole.best())).all()
    assert (removed(predicted.best()) > removed(run.best())).all()
