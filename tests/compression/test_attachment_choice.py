"""Whether the network is part of the attachment, and on how many samples it is run."""

import numpy as np
import pytest

from vdiff_jax.compression import attachment_choice
from vdiff_jax.compression.attachment_choice import choose_attachment
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.samples import Sample
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def encoder(source, tmp_path_factory, open_encoder, tiny):
    return open_encoder(source, tmp_path_factory.mktemp("network"), crf=36.0, weights=str(tiny))


def test_a_network_that_gains_less_than_its_bytes_is_left_out(encoder):
    track = encoder.track()
    plain = choose_attachment(encoder, track)
    tried = choose_attachment(encoder, track, Budget("best", Stopwatch()))
    assert tried.loop.network is not None
    assert tried.attachment == plain.attachment
    assert tried.fit.gain[0] > 0.05


@pytest.mark.parametrize(
    ("plain_seconds", "passed", "samples", "others", "skipped"),
    [(0, 2, 0, 8, ["the network tiny"]), (2, 3, 2, 3, []), (10, 0, 5, 3, []), (60, 70, 8, 0, [])],
)
def test_the_network_is_run_on_as_many_samples_as_there_is_time_for(
    monkeypatch, plain_seconds, passed, samples, others, skipped
):
    clock = Stopwatch()
    clock.seconds["encode"] = float(plain_seconds)
    budget = Budget("fast", clock)
    budget.begin_trials()
    monkeypatch.setattr("time.monotonic", lambda: budget._begun + passed)
    frames = [Frame((np.zeros((250, 500), np.uint8),), n) for n in range(12)]
    all_samples = [Sample(frames, frames, slice(None))] * 8
    run, more = attachment_choice._for_network(all_samples, budget, "tiny.safetensors")
    assert (len(run), len(more), budget.skipped) == (samples, others, skipped)
