from __future__ import annotations

import pytest

from aperiodic.capture.lags import Lags


def test_quantiles_are_those_of_the_last_minutes_and_counts_those_since_the_start() -> None:
    now = 0.0
    lags = Lags(lambda: now)
    assert lags.facts() == {"count": 0, "p50_ms": None, "p99_ms": None}
    for _ in range(98):
        lags.add(0.010)
    for _ in range(2):
        lags.add(3.0)
    assert lags.quantile(0.5) == pytest.approx(0.010)
    assert lags.quantile(0.99) == pytest.approx(3.2)
    now = 310.0
    lags.add(0.1)
    assert lags.quantile(0.99) == pytest.approx(3.2)  # the window before still counts
    now = 620.0
    lags.add(0.2)
    assert lags.facts() == {"count": 102, "p50_ms": pytest.approx(100.0), "p99_ms": pytest.approx(200.0)}
    now = 5_000.0
    assert lags.quantile(0.5) is None
    assert lags.count == 102
    assert lags.total_s == pytest.approx(98 * 0.010 + 6.0 + 0.3)


def test_buckets_hold_everything_up_to_their_bound() -> None:
    lags = Lags()
    for seconds in (-1.0, 0.0, 0.001, 0.0011, 0.0025, 0.4, 0.5, 1e9):
        lags.add(seconds)
    buckets = lags.buckets()
    assert (buckets["0.001"], buckets["0.0025"], buckets["0.25"], buckets["0.5"]) == (3, 5, 5, 7)
    assert (buckets["500"], buckets["+Inf"]) == (7, 8)
    counts = list(buckets.values())
    assert counts == sorted(counts)
