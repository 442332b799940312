from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aperiodic.server.middleware.rate_limits import Buckets, source_address

S = 1_000_000_000


class Clock:
    """Time that passes when a test says so, ns."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def buckets(period_s: int = 60, max_entries: int = 100) -> tuple[Buckets, Clock]:
    clock = Clock()
    return Buckets(period_s, max_entries, clock), clock


def test_a_minutes_worth_may_come_at_once_and_then_no_more() -> None:
    limiter, _ = buckets()
    standings = [limiter.take("a", 60) for _ in range(61)]
    assert [standing.admitted for standing in standings] == [True] * 60 + [False]
    assert [standing.remaining for standing in standings[:3]] == [59, 58, 57]
    assert (standings[-1].limit, standings[-1].remaining) == (60, 0)
    assert (standings[-1].reset_s, standings[-1].retry_after_s) == (60, 1)
    assert limiter.take("b", 60).admitted


def test_it_refills_evenly_and_never_above_full() -> None:
    limiter, clock = buckets()
    for _ in range(6):
        limiter.take("a", 6)
    clock.now = 10 * S - 1
    assert limiter.take("a", 6).retry_after_s == 1
    clock.now = 10 * S
    assert limiter.take("a", 6).admitted
    assert not limiter.take("a", 6).admitted
    clock.now = 10_000 * S
    assert [limiter.take("a", 6).admitted for _ in range(7)] == [True] * 6 + [False]


def test_being_refused_costs_nothing() -> None:
    limiter, clock = buckets()
    limiter.take("a", 1)
    for second in range(60):
        clock.now = second * S
        standing = limiter.take("a", 1)
        assert (standing.admitted, standing.retry_after_s) == (False, 60 - second)
    clock.now = 60 * S
    assert limiter.take("a", 1).admitted


def test_what_is_given_back_can_be_taken_again_and_never_more() -> None:
    limiter, clock = buckets()
    limiter.take("a", 2)
    assert limiter.give_back("a", 2).remaining == 2
    assert [limiter.give_back(client, 2).remaining for client in ("a", "nobody")] == [2, 2]
    assert [limiter.take("a", 2).admitted for _ in range(3)] == [True, True, False]
    clock.now = 20 * S
    assert limiter.give_back("a", 2).remaining == 1


@pytest.mark.parametrize("limit", [1, 7, 1200, 1_000_000])
def test_as_many_are_admitted_in_a_minute_as_the_limit_says(limit: int) -> None:
    limiter, clock = buckets()
    tries = min(limit, 2000)
    for _ in range(limit - tries):
        limiter.take("a", limit)
    assert sum(limiter.take("a", limit).admitted for _ in range(tries + 5)) == tries
    clock.now = 60 * S
    assert limiter.take("a", limit).remaining == limit - 1


def test_a_lowered_limit_holds_at_once() -> None:
    limiter, clock = buckets()
    limiter.take("a", 1000)
    for _ in range(500):
        limiter.take("a", 1000)
    standing = limiter.take("a", 1)
    assert (standing.admitted, standing.remaining, standing.retry_after_s) == (False, 0, 31)
    clock.now = 31 * S
    assert limiter.take("a", 1).admitted


def test_memory_is_bounded_and_the_least_recently_seen_is_forgotten() -> None:
    limiter, _ = buckets(max_entries=3)
    for client in ("a", "b", "c", "a", "d"):
        limiter.take(client, 2)
    assert len(limiter) == 3
    assert not limiter.take("a", 2).admitted
    assert limiter.take("b", 2).remaining == 1
    for number in range(1000):
        limiter.take(f"{number}", 2)
    assert len(limiter) == 3


def test_threads_get_no_more_than_there_is() -> None:
    limiter, _ = buckets()
    with ThreadPoolExecutor(8) as pool:
        standings = list(pool.map(lambda _: limiter.take("a", 500), range(2000)))
    assert sum(standing.admitted for standing in standings) == 500


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("", "unknown"),
        ("/run/socket", "unknown"),
    ],
)
def test_a_client_is_its_address_or_its_network(peer: str, counted: str) -> None:
    assert source_address(peer, [], 0) == counted


@pytest.mark.parametrize(
    ("forwarded", "trusted", "counted"),
    [
        (["198.51.100.1"], 0, "192.0.2.7"),
        (["198.51.100.1"], 1, "198.51.100.1"),
        (["6.6.6.6, 198.51.100.1"], 1, "198.51.100.1"),
        (["6.6.6.6", "198.51.100.1"], 1, "198.51.100.1"),
        (["6.6.6.6, 198.51.100.1 ,203.0.113.9"], 2, "198.51.100.1"),
        (["198.51.100.1"], 2, "192.0.2.7"),
        ([], 1, "192.0.2.7"),
        (["6.6.6.6, not an address"], 1, "192.0.2.7"),
        (["6.6.6.6,"], 1, "192.0.2.7"),
        (["1.2.3.4.5"], 1, "192.0.2.7"),
        (["2001:db8::1"], 1, "2001:db8::/64"),
    ],
)
def test_only_what_trusted_proxies_added_is_believed(forwarded: list[str], trusted: int, counted: str) -> None:
    assert source_address("192.0.2.7", forwarded, trusted) == counted
