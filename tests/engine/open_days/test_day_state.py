"""Bars below a minute take much memory: the maker of live rows remembers a few minutes of them, and everything longer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aperiodic.catalog import Family
from aperiodic.engine.families import KERNELS
from aperiodic.engine.open_days.day_state import DayState
from aperiodic.engine.partials.recorded_day import Records
from aperiodic.market import Clock, Exchange, Interval, Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.open_days.day_state import ClosedBars

SECOND = 1_000_000
MINUTE = 60 * SECOND
BEGIN = 1_746_144_000 * SECOND
MINUTES = 20


def state_of(*, all_seconds: bool) -> DayState:
    def before(_kernel: object) -> dict[Stream, pl.DataFrame]:
        return {stream: pl.DataFrame(schema={"time": pl.Int64, **tick_schema(stream)}) for stream in Stream}

    return DayState(Exchange.BINANCE_FUTURES, Clock.TRUE, BEGIN, before, all_seconds=all_seconds)


def trades(first: int, last: int) -> pl.DataFrame:
    """Some trades of every second from `first` to before `last`, s after the day's begin."""
    chance = random.Random(first)  # noqa: S311 - made-up prices
    rows = [
        (at, at, str(number), chance.choice(["buy", "sell"]), 100 + chance.random(), chance.random(), number)
        for second in range(first, last)
        for number in (2 * second, 2 * second + 1)
        for at in [BEGIN + second * SECOND + number % 2 * 400_000]
    ]
    schema = tick_schema(Stream.TRADES)
    return pl.DataFrame(rows, schema=schema, orient="row")


def minutes_of(state: DayState) -> Iterator[DayState]:
    """Put the trades of some minutes into a state, 15 seconds at a time."""
    for second in range(0, MINUTES * 60, 15):
        state.add(Stream.TRADES, trades(second, second + 15))
        state.fold(BEGIN + (second + 15) * SECOND, seconds=True)
        yield state


def starts(bars: ClosedBars) -> list[int]:
    return bars.bars["start"].tolist() if isinstance(bars, Records) else bars["time"].to_physical().to_list()


@pytest.mark.parametrize("skips", [False, True], ids=["from the begin", "after a start"])
def test_bars_below_a_minute_are_remembered_for_some_minutes_and_longer_ones_all_day(*, skips: bool) -> None:
    whole, few = state_of(all_seconds=True), state_of(all_seconds=False)
    if skips:
        few.skip_closed(BEGIN)  # for families that have no ticks, too
    yielded = []
    for number, _ in enumerate(zip(minutes_of(whole), minutes_of(few), strict=True)):
        if number % 3 == 0:  # not at once
            taken = {family: list(few.take_closed(family, {Interval.S1})) for family in KERNELS}
            yielded += [time for _, bars in taken[Family.TRADES] for time in starts(bars)]
    assert yielded == [BEGIN + second * SECOND for second in range(len(yielded))]
    assert few.begin_of(Interval.S1) == BEGIN + (MINUTES - 3) * MINUTE
    assert few.begin_of(Interval.M1) == BEGIN
    for interval in (Interval.S1, Interval.S30, Interval.M1, Interval.M5):
        since = few.begin_of(interval)
        found, expected = (state.bars_since(Family.TRADES, interval, BEGIN) for state in (few, whole))
        assert found is not None
        assert expected is not None
        assert_frame_equal(found, expected.filter(pl.col("time").to_physical() >= since), check_exact=True)


def test_bars_that_were_not_yielded_are_remembered_however_long_ago_they_were_over() -> None:
    state = state_of(all_seconds=False)
    work = minutes_of(state)
    next(work)
    assert [starts(bars) for _, bars in state.take_closed(Family.TRADES, {Interval.S1})] == [
        [BEGIN + second * SECOND for second in range(15)]
    ]
    for _ in work:
        pass
    ((_, bars),) = state.take_closed(Family.TRADES, {Interval.S1})
    assert starts(bars) == [BEGIN + second * SECOND for second in range(15, MINUTES * 60)]
