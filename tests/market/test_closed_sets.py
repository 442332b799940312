"""Intervals, clocks and exchanges: sets that a caller's text has to be in."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from aperiodic.market import DAY_US, Clock, Exchange, Interval, InvalidInputError, Stream
from aperiodic.market.errors import nearest, unknown_value
from aperiodic.venues import has_modelled_time, venue_of

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS: list[Callable[[str], str]] = [Interval.parse, Clock.parse, Exchange.parse]


def test_the_intervals_are_the_ten_of_the_contract() -> None:
    assert {str(interval): interval.seconds for interval in Interval} == {
        "1s": 1,
        "15s": 15,
        "30s": 30,
        "1m": 60,
        "5m": 300,
        "15m": 900,
        "30m": 1800,
        "1h": 3600,
        "4h": 14400,
        "1d": 86400,
    }
    assert [interval.microseconds for interval in Interval] == [interval.seconds * 10**6 for interval in Interval]


def test_each_interval_is_a_multiple_of_the_one_before_and_divides_the_day() -> None:
    for shorter, longer in pairwise(Interval):
        assert longer.seconds > shorter.seconds
        assert longer.seconds % shorter.seconds == 0
    assert all(DAY_US % interval.microseconds == 0 for interval in Interval)


def test_three_intervals_are_shorter_than_a_minute() -> None:
    assert [interval for interval in Interval if interval.sub_minute] == ["1s", "15s", "30s"]
    assert list(Clock.TRUE.intervals) == list(Interval)
    assert list(Clock.EXCHANGE.intervals) == ["1m", "5m", "15m", "30m", "1h", "4h", "1d"]


def test_each_clock_reads_its_own_column() -> None:
    assert {str(clock): clock.column for clock in Clock} == {
        "exchange": "exchange_timestamp",
        "true": "local_timestamp",
    }


def test_exchanges_are_named_as_in_the_api() -> None:
    assert list(Exchange) == ["binance-futures", "okx-perps", "hyperliquid-perps", "binance"]


def test_what_the_venues_streams_can_prove() -> None:
    assert [venue for venue in Exchange if Stream.TRADES not in venue_of(venue).numbered] == [
        Exchange.HYPERLIQUID_PERPS
    ]
    assert [venue for venue in Exchange if has_modelled_time(venue, Stream.QUOTES)] == [Exchange.BINANCE]


@pytest.mark.parametrize("values", [Interval, Clock, Exchange])
def test_every_value_reads_back(values: type[Interval | Clock | Exchange]) -> None:
    for value in values:
        assert values.parse(str(value)) is value


@pytest.mark.parametrize(
    ("parse", "wrong", "message", "hint"),
    [
        (
            Interval.parse,
            "60m",
            "Unknown interval '60m'.",
            "Did you mean '1h'? Valid values: 1s, 15s, 30s, 1m, 5m, 15m, 30m, 1h, 4h, 1d.",
        ),
        (
            Clock.parse,
            "Exchange",
            "Unknown timestamp 'Exchange'.",
            "Did you mean 'exchange'? Valid values: exchange, true.",
        ),
        (
            Exchange.parse,
            "binance_futures",
            "Unknown exchange 'binance_futures'.",
            "Did you mean 'binance-futures'? Valid values: binance-futures, okx-perps, hyperliquid-perps, binance.",
        ),
        (Clock.parse, "xyz", "Unknown timestamp 'xyz'.", "Valid values: exchange, true."),
    ],
)
def test_a_wrong_value_is_named_with_the_nearest_right_one(
    parse: Callable[[str], str], wrong: str, message: str, hint: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(wrong)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert str(caught.value) == f"{message} {hint}"


@pytest.mark.parametrize(
    ("parse", "code"),
    [(Interval.parse, "unknown_interval"), (Clock.parse, "unknown_timestamp"), (Exchange.parse, "unknown_exchange")],
)
@pytest.mark.parametrize("wrong", ["", " ", "1H ", "EXCHANGE", "1s\n", "\x00", "..", "S1"])
def test_a_wrong_value_has_a_code_and_is_a_value_error(parse: Callable[[str], str], code: str, wrong: str) -> None:
    with pytest.raises(ValueError, match="Unknown") as caught:
        parse(wrong)
    assert isinstance(caught.value, InvalidInputError)
    assert caught.value.code == code


@pytest.mark.parametrize("parse", PARSERS)
def test_an_endless_value_is_refused_at_once_and_cut_short(parse: Callable[[str], str]) -> None:
    begin = time.perf_counter()
    with pytest.raises(InvalidInputError) as caught:
        parse("binance-futures" * 200_000)
    assert time.perf_counter() - begin < 1
    assert len(str(caught.value)) < 400


def test_nearest_ignores_case_and_gives_up_on_what_is_unlike() -> None:
    assert nearest("OHLVC", ["ohlcv", "flow"]) == "ohlcv"
    assert nearest("flow_metrics", ["ohlcv", "Flow"]) == "Flow"
    assert nearest("zzz", ["ohlcv", "flow"]) is None
    assert nearest("ohlcv", []) is None


def test_the_code_of_an_unknown_value_is_snake_case() -> None:
    assert unknown_value("tick stream", "x", ["trades"]).code == "unknown_tick_stream"


@pytest.mark.parametrize(
    ("kind", "wrong", "meant"),
    [
        ("interval", "60s", "1m"),
        ("interval", "60m", "1h"),
        ("interval", "1min", "1m"),
        ("interval", "24 hours", "1d"),
        ("interval", "10s", "15s"),
        ("interval", "1w", "1d"),
        ("interval", "90T", "1h"),
        ("timestamp", "local", "true"),
        ("fill", "ffill", "forward"),
        ("on_incomplete", "error", "raise"),
        ("output", "Arrow", "polars"),
    ],
)
def test_words_of_other_libraries_and_lengths_are_understood(kind: str, wrong: str, meant: str) -> None:
    valid = {
        "interval": tuple(Interval),
        "timestamp": tuple(Clock),
        "fill": ("none", "null", "forward"),
        "on_incomplete": ("warn", "raise", "ignore"),
        "output": ("polars", "pandas"),
    }[kind]
    hint = unknown_value(kind, wrong, valid).hint
    assert hint is not None
    assert hint.startswith(f"Did you mean {meant!r}?")


@pytest.mark.parametrize("wrong", ["0s", "s", "minute", "1y", "-1m", "1m1s"])
def test_what_is_no_length_is_compared_by_spelling(wrong: str) -> None:
    found = nearest(wrong, map(str, Interval))
    hint = unknown_value("interval", wrong, Interval).hint
    assert hint is not None
    assert hint.startswith(f"Did you mean {found!r}?" if found else "Valid values")
