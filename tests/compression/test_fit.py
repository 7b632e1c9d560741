"""The fit of the decoder's steps, on samples whose error is known."""

import dataclasses

import numpy as np
import pytest

from vdiff_jax.compression.attachment import Network
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.fit import NOTHING, Fit, fit, measure_error
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import moments
from vdiff_jax.pixels import Frame, PixelFormat
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
    """Grey frames, and noise of 4 levels in place of a codec's error."""
    rng = np.random.default_rng(0)
    return Sample(frames_of(rng, 0.0), frames_of(rng, 4.0), slice(None))


class Loop(ClosedLoop):
    """A decoder whose network returns the source."""

    def __init__(self, sample):
        self.sample = sample

    def decoded_moments(self):
        return moments(self.sample, self.sample.decoded, PIXELS, SIGMA)

    def restored_moments(self):
        return moments(self.sample, self.sample.source, PIXELS, SIGMA)


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
    best = fit(Loop(sample), error, NETWORK)
    assert NOTHING.net_gain(1000) == 0
    assert best.net_gain(10**9) == pytest.approx(best.gain[0], abs=1e-3)
    assert best.net_gain(best.size + 100) == pytest.approx(best.gain[0] - 3)  # twice the bytes
    assert Fit(best.wiener, None, best.gain).size < best.size


def test_the_fit_with_a_network_that_knows_the_source_gains_more(sample):
    error = measure_error([sample], PIXELS, None)
    alone, both = fit(Loop(sample), error, None), fit(Loop(sample), error, NETWORK)
    assert (alone.network, both.network) == (None, NETWORK)
    assert both.gain[0] > alone.gain[0] + 3 > 3
