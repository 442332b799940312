from __future__ import annotations

from aperiodic.mock.weights import Rates, Weights

SECOND = 1_000_000


def test_weight_begins_anew_with_each_minute_of_the_venue() -> None:
    now = [59 * SECOND]
    weights = Weights(100, 60.0, lambda: now[0])
    assert weights.use(100) == (200, 0)
    assert weights.use(1) == (429, 1)
    assert weights.used == 101
    now[0] = 60 * SECOND
    assert weights.use(100) == (200, 0)
    assert weights.used == 100


def test_who_does_not_stop_is_banned_and_who_waits_is_not() -> None:
    now = [0]
    weights = Weights(10, 60.0, lambda: now[0])
    assert [weights.use(11)[0] for _ in range(4)] == [429, 429, 429, 418]
    now[0] = 119 * SECOND
    assert weights.use(1) == (418, 1)
    now[0] = 120 * SECOND
    assert weights.use(1) == (200, 0)


def test_requests_are_counted_in_a_sliding_time() -> None:
    rates = Rates()
    assert [rates.exceeded("books", 2, 2.0, at) for at in (0.0, 1.0, 1.5, 2.0, 2.5)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert not rates.exceeded("time", 2, 2.0, 2.5)
