"""Which trials there is time for."""

import pytest

from vdiff_jax.compression.budget import Budget
from vdiff_jax.runtime.stopwatch import Stopwatch


def budget_of(adapt: str, plain: float) -> Budget:
    clock = Stopwatch()
    clock.seconds["encode"] = plain
    budget = Budget(adapt, clock)
    budget.begin_trials()
    return budget


@pytest.mark.parametrize(("plain", "allowed"), [(0.0, 7.0), (30.0, 67.0)])
def test_fast_allows_twice_the_plain_encoder_s_time_and_eight_seconds(plain, allowed):
    budget = budget_of("fast", plain)
    assert budget.allows(allowed, "one")
    assert not budget.allows(allowed + 2, "another")
    assert budget.skipped == ["another"]


def test_time_that_passed_counts(monkeypatch):
    budget = budget_of("fast", 30.0)
    monkeypatch.setattr("time.monotonic", lambda passed=budget._begun + 50: passed)
    assert not budget.allows(20.0, "one")


def test_trials_after_the_first_track_do_not_count_as_the_plain_encoder_s_time():
    budget = budget_of("fast", 1.0)
    budget._clock.seconds["encode"] = 100.0
    budget.begin_trials()
    assert not budget.allows(20.0, "one")


def test_best_allows_everything_and_none_nothing():
    assert budget_of("best", 0.0).allows(10_000.0, "one")
    assert not budget_of("none", 100.0).allows(0.1, "one")


@pytest.mark.parametrize(("worked", "allowed"), [(60.0, 37.0), (30.0, 37.0), (7.5, 37.0 / 4)])
def test_trials_take_longer_on_a_busy_machine(monkeypatch, worked, allowed):
    clock = Stopwatch()
    clock.seconds["encode"] = 30.0
    budget = Budget("fast", clock)
    monkeypatch.setattr("time.monotonic", lambda passed=budget._begun + 30: passed)
    monkeypatch.setattr("time.process_time", lambda passed=budget._begun_working + worked: passed)
    budget.begin_trials()
    assert budget.seconds_left == pytest.approx(allowed + 1 / max(1, 30 / worked))
    assert budget.allows(allowed, "one")
    assert not budget.allows(allowed + 2, "another")
