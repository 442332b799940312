"""Rows that are told live are those of the files that the day's build publishes, to the last bit."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import pytest
from tests.engine.open_days import test_open_days
from tests.engine.open_days.test_open_days import BEGIN, DAY, SECOND, Clockwork, append, rows
from tests.lakes import BTC

from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.lake import ObjectKind
from aperiodic.market import Clock, Interval, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake

Series = tuple[str, str, str]


class Reader:
    """Keeps what is told: of each bar all rows, in the order in which they came."""

    def __init__(self) -> None:
        self.rows: defaultdict[tuple[Series, int], list[LiveRow]] = defaultdict(list)

    def __call__(self, told: list[LiveRow]) -> None:
        for row in told:
            self.rows[(row.dataset, row.clock, row.interval), row.time].append(row)


def published(lake: Lake) -> dict[tuple[Series, int], dict[str, Any]]:
    found = {}
    for record in lake.current(ObjectKind.BARS):
        frame = lake.store.read_parquet(record.path).filter(pl.col("time") >= DAY)
        for row in frame.with_columns(pl.col("time").to_physical()).to_dicts():
            found[(record.key.dataset, record.key.clock, record.key.interval), row["time"]] = row
    return found


def told(row: LiveRow) -> dict[str, Any]:
    data = msgspec.json.decode(row.data)
    assert data.pop("symbol") == row.symbol == str(BTC)
    assert data.pop("interval") == row.interval
    assert data.pop("revision") == row.revision
    assert data.pop("complete") == row.complete
    return {name: float("nan") if value is None else value for name, value in data.items()}


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Equal to the last bit; null is told as such."""
    right = {name: float("nan") if value is None else value for name, value in right.items()}
    return left.keys() == right.keys() and all(
        left[name] == right[name] or (left[name] != left[name] and right[name] != right[name]) for name in left
    )


def compare(lake: Lake, reader: Reader, since: int, until: int) -> int:
    """Compare all that was told with what the build publishes; return the number of values compared.

    Everything must have been told that starts at or after `since` and is over at `until`, µs.
    """
    build(lake)
    bars = published(lake)
    cells = 0
    for (series, time), found in reader.rows.items():
        first = found[0].revision  # 1 where late ticks made a bar of nothing
        assert first <= 1
        assert [row.revision for row in found] == list(range(first, first + len(found))), (series, time)
        assert same(told(found[-1]), bars[series, time]), (series, time, told(found[-1]), bars[series, time])
        cells += len(bars[series, time])
    missing = [
        (series, time)
        for series, time in bars.keys() - reader.rows.keys()
        if since <= time <= until - Interval(series[2]).microseconds
    ]
    assert missing == []
    return cells


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_are_those_of_the_build_wherever_batches_end_and_the_engine_restarts(lake: Lake, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - where batches end
    append(lake, rows(-100, 0))
    build(lake)
    reader, clock = Reader(), Clockwork(BEGIN)
    builder = LiveMaker(lake, reader, now=clock, seconds=lambda: ALL_SECONDS)
    append(lake, rows(0, 5))
    builder.round()  # what is there at the start is not told
    second = 5
    while second < 400:
        following = min(second + chance.randrange(1, 40), 400)
        append(lake, rows(second, following))
        clock.now = BEGIN + following * SECOND
        builder.round()
        second = following
    append(lake, rows(400, 700))
    cells = compare(lake, reader, BEGIN, BEGIN + 398 * SECOND)
    assert {series[0] for series, _ in reader.rows} == set(DATASETS)
    assert {(series[1], series[2]) for series, _ in reader.rows} == {
        (on, interval) for on in Clock for interval in on.intervals if interval.microseconds <= 300 * SECOND
    }
    print(f"{cells:,} values of {len(reader.rows):,} rows compared")  # noqa: T201 - how much was compared


def test_who_wants_seconds_gets_those_that_files_do_not_have_yet(lake: Lake) -> None:
    """Files of open days take in seconds by the minute; nothing is between them and what is told."""
    append(lake, rows(-100, 0))
    build(lake)
    reader, clock, wanted = Reader(), Clockwork(BEGIN), False
    builder = LiveMaker(lake, reader, now=clock, seconds=lambda: ALL_SECONDS if wanted else frozenset())
    builder.round()
    for second in range(0, 700, 50):
        wanted = second in {300, 650}
        append(lake, rows(second, second + 50))
        clock.now = BEGIN + (second + 50) * SECOND
        builder.round()
    compare(lake, reader, BEGIN + 700 * SECOND, 0)
    told_at = {(time - BEGIN) // SECOND for (of, _, on), time in reader.rows if (of, on) == ("ohlcv", "1s")}
    every = {(time - BEGIN) // SECOND for (of, _, on), time in published(lake) if (of, on) == ("ohlcv", "1s")}
    assert {second for second in every if 180 <= second < 345 or 530 <= second < 695} <= told_at
    assert min(told_at) >= 178  # less than the two minutes before, and the arrival of the last tick
    assert not told_at & set(range(350, 528))


def test_who_wants_seconds_of_a_dataset_gets_those_that_were_made_for_another(lake: Lake) -> None:
    """And nobody gets what nobody wants; what looks back over the month is the same for whoever comes later."""
    append(lake, rows(-100, 0))
    build(lake)
    reader, clock = Reader(), Clockwork(BEGIN)
    wanted: set[tuple[str, ...]] = {("ohlcv", "1s"), ("ohlcv", "15s")}
    builder = LiveMaker(lake, reader, now=clock, seconds=lambda: frozenset(wanted))
    builder.round()
    for second in range(0, 600, 50):
        if second == 300:
            wanted |= {("flow", "1s"), ("l1_price", "15s")}
        if second == 500:
            wanted -= {("ohlcv", "1s"), ("flow", "1s")}
        append(lake, rows(second, second + 50))
        clock.now = BEGIN + (second + 50) * SECOND
        builder.round()
    compare(lake, reader, BEGIN + 700 * SECOND, 0)
    seconds: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for (dataset, _, interval), time in reader.rows:
        if Interval(interval).sub_minute:
            seconds[dataset, interval].add((time - BEGIN) // SECOND)
    assert seconds.keys() == {("ohlcv", "1s"), ("ohlcv", "15s"), ("flow", "1s"), ("l1_price", "15s")}
    assert {second for second in seconds["ohlcv", "1s"] if second >= 230} == {
        second for second in seconds["flow", "1s"] if second >= 230
    }
    assert 178 <= min(seconds["flow", "1s"]) <= 230
    assert max(seconds["flow", "1s"]) < 500 < max(seconds["l1_price", "15s"])
    assert 165 <= min(seconds["l1_price", "15s"]) <= 230


def test_bars_of_a_minute_wait_for_those_of_seconds_while_more_comes(lake: Lake) -> None:
    append(lake, rows(-100, 0))
    build(lake)
    reader, clock, calls = Reader(), Clockwork(BEGIN), []

    def tell(found: list[LiveRow]) -> None:
        calls.append({row.interval for row in found})
        reader(found)

    maker = LiveMaker(lake, tell, now=clock, seconds=lambda: ALL_SECONDS, has_more=lambda: True)
    maker.round()
    waited = 0
    for second in range(0, 400, 10):
        append(lake, rows(second, second + 10))
        clock.now = BEGIN + (second + 10) * SECOND
        calls.clear()
        maker.round()
        below = [all(Interval(interval).sub_minute for interval in intervals) for intervals in calls]
        assert below == sorted(below, reverse=True)  # those below a minute come first
        waited += maker.is_telling
        while maker.is_telling:
            maker.round()
    assert waited >= 6  # the rest of what ended with each minute
    compare(lake, reader, BEGIN, BEGIN + 398 * SECOND)


def is_before(tick: tuple[object, ...], second: int) -> bool:
    assert isinstance(tick[0], int)
    return tick[0] < BEGIN + second * SECOND


@pytest.mark.parametrize("day", [date(2025, 5, 1), date(2025, 5, 2)])
def test_late_ticks_of_the_day_before_change_what_looks_back_on_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, day: date
) -> None:
    begin = day_start_us(day)
    monkeypatch.setattr(test_open_days, "BEGIN", begin)
    reader, clock = Reader(), Clockwork(begin - 1_000 * SECOND)
    append(lake, rows(-1_200, -1_190))
    maker = LiveMaker(lake, reader, now=clock)
    maker.round()
    before, late = rows(-1_000, 0), rows(-500, -490, seed=2)
    append(
        lake,
        {stream: [tick for tick in some if not _between(tick, begin, -500, -490)] for stream, some in before.items()},
    )
    maker.round()
    append(lake, rows(0, 200))
    clock.now = begin + 200 * SECOND
    maker.round()
    append(lake, late)
    clock.now += 700 * SECOND
    maker.round()
    assert any(row.revision and row.time < begin for found in reader.rows.values() for row in found)
    build(lake)
    bars: dict[tuple[Series, int], dict[str, Any]] = {}
    for record in lake.current(ObjectKind.BARS):
        frame = lake.store.read_parquet(record.path).with_columns(pl.col("time").to_physical())
        series = record.key.dataset, record.key.clock, record.key.interval
        bars |= {(series, row["time"]): row for row in frame.to_dicts()}
    for key, found in reader.rows.items():
        assert same(told(found[-1]), bars[key]), key


def _between(tick: tuple[object, ...], begin: int, first: int, last: int) -> bool:
    assert isinstance(tick[0], int)
    return begin + first * SECOND <= tick[0] < begin + last * SECOND


def test_bars_that_late_ticks_change_are_told_again(lake: Lake) -> None:
    reader, clock = Reader(), Clockwork(BEGIN + 200 * SECOND)
    builder = LiveMaker(lake, reader, now=clock, seconds=lambda: ALL_SECONDS)
    builder.round()
    ticks = rows(0, 400)
    late: dict[Stream, list[tuple[object, ...]]] = {
        stream: some[100:103] for stream, some in ticks.items() if stream in {Stream.TRADES, Stream.QUOTES}
    }
    first = {stream: [tick for tick in some if tick not in late.get(stream, [])] for stream, some in ticks.items()}
    begin = {stream: [tick for tick in some if is_before(tick, 10)] for stream, some in first.items()}
    rest = {stream: [tick for tick in some if not is_before(tick, 10)] for stream, some in first.items()}
    append(lake, begin)
    builder.round()  # what was there before the first tick is not told
    append(lake, rest)
    clock.now = BEGIN + 400 * SECOND
    builder.round()
    before = {key: len(found) for key, found in reader.rows.items()}
    assert set(before.values()) == {1}
    append(lake, late)
    clock.now += 700 * SECOND
    builder.round()
    again = {key for key, found in reader.rows.items() if len(found) > 1}
    assert {("ohlcv", "true", "1m"), ("l1_price", "true", "1m"), ("slippage", "true", "1s")} <= {
        key for key, _ in again
    }
    assert ("open_interest", "true", "1m") not in {key for key, _ in again}
    compare(lake, reader, 0, 0)
