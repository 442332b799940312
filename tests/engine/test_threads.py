"""Days that threads share have the same bars as in one pass, to the last bit."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.lakes import SOAK, VENUE

from aperiodic.catalog import Family
from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials import columns, threads
from aperiodic.engine.partials.bars import Bars
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import Clock, Interval, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BEGIN: Final = day_start_us(date(2025, 5, 1))
SECOND: Final = 1_000_000
LAST: Final = 86_400 * SECOND - 1
FAMILIES: Final = (Family.TRADES, Family.QUOTES, Family.SLIPPAGE)

# Few seconds with many events, at their very edges too, and the day's own.
times = st.tuples(
    st.sampled_from([0, 1, 2, 59, 60, 61, 43_200, 86_399]), st.sampled_from([0, 1, 500_000, 999_999])
).map(lambda at: at[0] * SECOND + at[1])
prices = st.sampled_from([100.0, 100.1, 100.2, 99.9, 50.0])
amounts = st.sampled_from([0.001, 0.3, 7.0, 11.1])
sides = st.sampled_from(["buy", "sell"])
lacking = st.sampled_from([None, 0.0])
quotes = st.tuples(prices, amounts, prices, amounts)
one_sided = st.tuples(lacking, lacking, prices, amounts)


def events(
    times: Sequence[int], values: Mapping[str, Sequence[object]], types: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    return pl.DataFrame({"time": [BEGIN + time for time in times], **values}, schema={"time": pl.Int64, **types})


@st.composite
def trades_of_a_day(draw: st.DrawFn) -> pl.DataFrame:
    rows = sorted(draw(st.lists(st.tuples(times, sides, prices, amounts), max_size=60)), key=lambda row: row[0])
    types = {"side": pl.Enum(["buy", "sell"]), "price": pl.Float64(), "amount": pl.Float64()}
    at, *values = zip(*rows, strict=True) if rows else ((), (), (), ())
    return events(at, dict(zip(types, values, strict=True)), types)


@st.composite
def quotes_of_a_day(draw: st.DrawFn) -> pl.DataFrame:
    rows = sorted(draw(st.lists(st.tuples(times, quotes | one_sided), max_size=60)), key=lambda row: row[0])
    names = KERNELS[Family.QUOTES].columns[Stream.QUOTES]
    values = {name: [quote[place] for _, quote in rows] for place, name in enumerate(names)}
    return events([at for at, _ in rows], values, dict.fromkeys(names, pl.Float64()))


@st.composite
def days(draw: st.DrawFn, family: Family) -> DayTicks:
    made = {Stream.TRADES: trades_of_a_day(), Stream.QUOTES: quotes_of_a_day()}
    kernel = KERNELS[family]
    day = {stream: draw(made[stream]) for stream in kernel.columns}
    # Of the eve: nothing, what holds until the day's first hours, or what is too old at once.
    before = {
        stream: day[stream].clear()
        if (ago := draw(st.none() | st.sampled_from([1, 86_399 * SECOND, 86_400 * SECOND]))) is None
        else events(
            [-ago], {name: [3.0] for name in kernel.columns[stream]}, dict(list(day[stream].schema.items())[1:])
        )
        for stream in kernel.looks_back
    }
    return DayTicks(exchange=VENUE, clock=Clock.TRUE, begin=BEGIN, day=day, before=before)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two events are worth a thread, and few are taken out of a frame at a time."""
    monkeypatch.setattr(columns, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(threads, "_WORTH_A_THREAD", 2)
    return monkeypatch


@pytest.mark.parametrize("family", FAMILIES)
def test_bars_do_not_depend_on_the_number_of_threads(family: Family, shared: pytest.MonkeyPatch) -> None:
    kernel = KERNELS[family]

    @settings(max_examples=40 * SOAK)
    @given(ticks=days(family), data=st.data())
    def same(ticks: DayTicks, data: st.DataObject) -> None:
        shared.setattr(pl, "thread_pool_size", lambda: 1)
        whole = kernel.bars(ticks)
        count = data.draw(st.sampled_from([2, 3, 16]))
        shared.setattr(pl, "thread_pool_size", lambda: count)
        found = kernel.bars(ticks)
        # And what comes after a part that threads shared goes on with it.
        opened, cut = kernel.open_day(ticks), BEGIN + data.draw(times)
        for later in (False, True):
            opened.fold({stream: frame.filter((pl.col("time") >= cut) == later) for stream, frame in ticks.day.items()})
        divided = opened.finish(list(Interval))
        for interval, frame in whole.items():
            assert_frame_equal(found[interval], frame, check_exact=True)
            assert_frame_equal(divided[interval], frame, check_exact=True)

    same()


@given(st.lists(times, max_size=80).map(sorted))
def test_all_events_of_a_second_are_in_one_part(at: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "_WORTH_A_THREAD", 2)
        patch.setattr(pl, "thread_pool_size", lambda: 4)
        edges = threads.second_edges(pl.Series(at, dtype=pl.Int64))
        assert edges == threads.second_edges(np.array(at, np.int64))
    assert (edges[0], edges[-1]) == (0, len(at))
    assert edges == sorted(edges)
    for edge in edges[1:-1]:
        assert 0 < edge < len(at)
        assert at[edge - 1] // SECOND < at[edge] // SECOND


def test_one_thread_makes_one_pass(shared: pytest.MonkeyPatch) -> None:
    shared.setattr(pl, "thread_pool_size", lambda: 1)
    at = pl.Series(range(0, LAST, SECOND))
    assert threads.second_edges(at) == [0, len(at)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6))
def test_runs_of_bars_are_closed_up_and_what_is_behind_them_is_zero(gaps: list[tuple[int, int]]) -> None:
    bars, runs, row = Bars(np.dtype([("start", np.int64), ("n", np.float64, (2,))]), 40), [], 0
    for gap, count in gaps:
        row += gap
        bars.room[row : row + count]["start"] = np.arange(row, row + count) + 1
        runs.append((row, count))
        row += count
    starts = [start for start in bars.room["start"].tolist() if start]
    threads.close_up(bars, runs)
    assert bars.filled["start"].tolist() == starts
    assert not bars.room[bars.used :].view(np.uint8).any()
