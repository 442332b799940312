"""Bars below a minute and trades take much memory: older ones are in a file, and bars are told as if they were in memory."""

from __future__ import annotations

import errno
import os
import random
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aperiodic.catalog import Family
from aperiodic.engine.open_days.day_state import DayState
from aperiodic.engine.open_days.older_file import OlderFile
from aperiodic.engine.partials.recorded_day import Records
from aperiodic.engine.partials.trades import TradeDay
from aperiodic.market import Clock, Exchange, Interval, Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.engine.open_days.day_state import ClosedBars

SECOND = 1_000_000
MINUTE = 60 * SECOND
BEGIN = 1_746_144_000 * SECOND
MINUTES = 23
SHORT = (Interval.S1, Interval.S15, Interval.S30)


def state_of(file: OlderFile, phase_us: int = 0) -> DayState:
    def before(_kernel: object) -> dict[Stream, pl.DataFrame]:
        return {stream: pl.DataFrame(schema={"time": pl.Int64, **tick_schema(stream)}) for stream in Stream}

    return DayState(Exchange.BINANCE_FUTURES, Clock.TRUE, BEGIN, before, file, phase_us=phase_us)


def trades(first: int, last: int, seed: int = 0) -> pl.DataFrame:
    """Some trades of every second from `first` to before `last`, s after the day's begin."""
    chance = random.Random(first + seed)  # noqa: S311 - made-up prices
    rows = [
        (at, at, str(number), chance.choice(["buy", "sell"]), 100 + chance.random(), chance.random(), number)
        for second in range(first, last)
        for number in (2 * second, 2 * second + 1)
        for at in [BEGIN + second * SECOND + number % 2 * 400_000]
    ]
    return pl.DataFrame(rows, schema=tick_schema(Stream.TRADES), orient="row")


def quotes(first: int, last: int) -> pl.DataFrame:
    """A quote every other second."""
    chance = random.Random(first)  # noqa: S311 - made-up prices
    rows = [
        (at, at, 100 - chance.random(), chance.random(), 101 + chance.random(), chance.random(), second)
        for second in range(first, last, 2)
        for at in [BEGIN + second * SECOND + 100_000]
    ]
    names = ("exchange_timestamp", "local_timestamp", "bid_price", "bid_amount", "ask_price", "ask_amount", "sequence")
    schema = tick_schema(Stream.QUOTES)
    return pl.DataFrame(rows, schema={name: schema[name] for name in names}, orient="row").select(*schema)


def minutes_of(state: DayState, odd: int | None = None) -> Iterator[DayState]:
    """Put the ticks of some minutes into a state, 15 seconds at a time; trades from the second `odd` on are others for 15 s."""
    for second in range(0, MINUTES * 60, 15):
        state.add(Stream.TRADES, trades(second, second + 15, seed=second == odd))
        state.add(Stream.QUOTES, quotes(second, second + 15))
        state.fold(BEGIN + (second + 15) * SECOND, seconds=True)
        yield state


def filled(state: DayState, odd: int | None = None) -> DayState:
    for _ in minutes_of(state, odd):
        pass
    return state


def starts(bars: ClosedBars) -> list[int]:
    return bars.bars["start"].tolist() if isinstance(bars, Records) else bars["time"].to_physical().to_list()


@pytest.fixture
def full(tmp_path: Path) -> OlderFile:
    """A file that takes nothing."""
    return OlderFile(tmp_path / "absent")


def is_written(file: OlderFile) -> bool:
    return file._end > 0


def in_memory(state: DayState) -> int:
    """Return how many bars of a second of trades are in memory."""
    return state._days[Family.TRADES].finish([Interval.S1])[Interval.S1].height


def trades_in_memory(state: DayState) -> int:
    """Return how many trades are in memory."""
    day = state._days[Family.TRADES]
    assert isinstance(day, TradeDay)
    return day._trade_prices.values.size


@pytest.mark.parametrize("phase", [0, 2 * MINUTE])
@pytest.mark.parametrize("family", [Family.TRADES, Family.QUOTES, Family.SLIPPAGE])
def test_bars_in_the_file_are_those_that_would_be_in_memory(
    family: Family, phase: int, full: OlderFile, tmp_path: Path
) -> None:
    file = OlderFile(tmp_path)
    state, whole = filled(state_of(file, phase)), filled(state_of(full))
    assert is_written(file)
    assert file.trouble is None
    assert in_memory(state) < 10 * 60
    assert in_memory(whole) == MINUTES * 60
    assert trades_in_memory(state) < 10 * 120
    assert trades_in_memory(whole) == MINUTES * 120
    for interval in Clock.TRUE.intervals:
        for since in (BEGIN, BEGIN + 5 * MINUTE, BEGIN + 10 * MINUTE, BEGIN + 20 * MINUTE):
            if (since - BEGIN) % interval.microseconds:
                continue
            found, expected = (each.bars_since(family, interval, since) for each in (state, whole))
            if found is None or expected is None:
                assert found is expected
                assert since + interval.microseconds > BEGIN + MINUTES * MINUTE
            else:
                assert_frame_equal(found, expected, check_exact=True)


def test_files_of_bars_below_a_minute_are_written_from_both(full: OlderFile, tmp_path: Path) -> None:
    state, whole = filled(state_of(OlderFile(tmp_path))), filled(state_of(full))
    found, expected = (
        {(family, interval): bars for family, interval, bars in each.closed_bars(sub_minute=True)}
        for each in (state, whole)
    )
    assert found.keys() == expected.keys()
    assert {interval for _, interval in found} == {*SHORT}
    for key, bars in found.items():
        assert_frame_equal(bars, expected[key], check_exact=True)


def test_bars_that_were_not_yielded_wait_in_memory(tmp_path: Path) -> None:
    file = OlderFile(tmp_path)
    state = state_of(file)
    work = minutes_of(state)
    next(work)
    assert [starts(bars) for _, bars in state.take_closed(Family.TRADES, {Interval.S1})] == [
        [BEGIN + second * SECOND for second in range(15)]
    ]
    for _ in work:
        pass
    assert not is_written(file)
    ((_, bars),) = state.take_closed(Family.TRADES, {Interval.S1})
    assert starts(bars) == [BEGIN + second * SECOND for second in range(15, MINUTES * 60)]


def test_a_state_that_was_read_anew_goes_on_with_bars_in_the_file(tmp_path: Path) -> None:
    file = OlderFile(tmp_path)
    told, anew = state_of(file), filled(state_of(file))
    work = minutes_of(told)
    for _ in range(4):
        next(work)
    for _ in told.take_closed(Family.TRADES, {Interval.S1}):
        pass
    for _ in anew.go_on_from(told):
        pass
    ((_, bars),) = anew.take_closed(Family.TRADES, {Interval.S1})
    assert starts(bars) == [BEGIN + second * SECOND for second in range(60, MINUTES * 60)]


def test_bars_that_are_the_same_are_known_without_a_look_at_each(tmp_path: Path) -> None:
    file = OlderFile(tmp_path)
    state, same, other = (filled(state_of(file), odd) for odd in (None, None, 7 * 60))
    assert state.same_until(same, Family.TRADES, Interval.S1) == BEGIN + 20 * MINUTE
    assert state.same_until(other, Family.TRADES, Interval.S1) == BEGIN + 5 * MINUTE
    assert state.same_until(other, Family.QUOTES, Interval.S1) == BEGIN + 20 * MINUTE
    assert state.same_until(other, Family.TRADES, Interval.M1) == BEGIN
    assert state.same_until(other, Family.BOOK, Interval.S1) == BEGIN


def test_room_of_states_that_are_gone_is_used_again(tmp_path: Path) -> None:
    file = OlderFile(tmp_path)
    state = filled(state_of(file))
    size = file._end
    for _ in range(3):
        state = filled(state_of(file))  # the one before is gone only then
    assert file._end == 2 * size
    assert state.bars_since(Family.TRADES, Interval.S1, BEGIN) is not None
    assert not list(tmp_path.iterdir())  # no name is left behind


def test_a_disk_that_is_full_leaves_bars_in_memory_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = OlderFile(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(OlderFile, "_write", refuse)
        state = filled(state_of(file))
        assert in_memory(state) == MINUTES * 60
        assert trades_in_memory(state) == MINUTES * 120
        assert "No space left on device" in str(file.trouble)
    state.add(Stream.TRADES, trades(MINUTES * 60, (MINUTES + 5) * 60))
    state.fold(BEGIN + (MINUTES + 1) * MINUTE, seconds=True)
    assert is_in_trouble(file)  # it is not tried again at once, since that takes time
    state.fold(BEGIN + (MINUTES + 5) * MINUTE, seconds=True)
    assert not is_in_trouble(file)
    assert in_memory(state) < 10 * 60
    expected = filled(state_of(OlderFile(tmp_path / "absent"))).bars_since(Family.TRADES, Interval.S1, BEGIN)
    found = state.bars_since(Family.TRADES, Interval.S1, BEGIN)
    assert found is not None
    assert expected is not None
    assert_frame_equal(found.head(MINUTES * 60), expected, check_exact=True)


def test_trades_that_cannot_leave_stay_in_memory_and_leave_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = OlderFile(tmp_path), OlderFile._write
    written: list[bytes] = []

    def refuse_others(self: OlderFile, data: bytes, offset: int) -> None:
        written.append(data)
        if len(written) > 1:  # what was written first are bars below a minute
            refuse()
        write(self, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(OlderFile, "_write", refuse_others)
        state = state_of(file)
        for _ in islice(minutes_of(state), 9 * 4):
            pass
        assert in_memory(state) < 9 * 60
        assert trades_in_memory(state) == 9 * 120
        assert is_in_trouble(file)
    for second in range(9 * 60, 20 * 60, 15):
        state.add(Stream.TRADES, trades(second, second + 15))
        state.fold(BEGIN + (second + 15) * SECOND, seconds=True)
    assert trades_in_memory(state) < 10 * 120
    expected = filled(state_of(OlderFile(tmp_path / "absent"))).bars_since(Family.TRADES, Interval.M5, BEGIN)
    found = state.bars_since(Family.TRADES, Interval.M5, BEGIN)
    assert found is not None
    assert expected is not None
    assert_frame_equal(found, expected, check_exact=True)


def is_in_trouble(file: OlderFile) -> bool:
    return file.trouble is not None


def refuse(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
