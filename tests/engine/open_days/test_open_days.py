from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.lakes import BTC, VENUE, hashes

from aperiodic.catalog import DATASETS
from aperiodic.completeness.judgement import Judgement
from aperiodic.engine.build import build
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.engine.open_days.days import OpenDays
from aperiodic.engine.parts import append_ticks, compact_ticks
from aperiodic.engine.repair import repair
from aperiodic.lake import ObjectKind, Scope
from aperiodic.lake.verify import verify_store
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, tick_schema
from aperiodic.market.time import day_start_us
from aperiodic.server.queries.published import symbol_problem

if TYPE_CHECKING:
    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake

DAY = date(2025, 5, 2)
BEGIN = day_start_us(DAY)
SECOND = 1_000_000
MINUTE = 60 * SECOND


class Clockwork:
    """The time, as the builder is told it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def rows(first: int, last: int, seed: int = 1) -> dict[Stream, list[tuple[object, ...]]]:
    """Ticks of every second from `first` to before `last`, s after the day's begin; exchange times waver."""
    chance = random.Random(f"{seed} {first}")  # noqa: S311 - made-up prices
    found: dict[Stream, list[tuple[object, ...]]] = {stream: [] for stream in Stream}
    for second in range(first, last):
        at = BEGIN + second * SECOND
        local = at + 150_000
        price = 100.0 + chance.randrange(-20, 20) / 10
        number = 10_000_000 + second
        found[Stream.TRADES].append((at, local, str(number), chance.choice(["buy", "sell"]), price, 1.0, number))
        found[Stream.QUOTES].append((at + 10, local + 10, price - 0.1, 2.0, price + 0.1, 3.0, number))
        if second % 5 == 0:
            levels = [value for n in range(25) for value in (price - n, 1.0 + n)]
            levels += [value for n in range(1, 26) for value in (price + n, 2.0 + n)]
            found[Stream.BOOK].append((at + 20, local + 20, *levels, 25, number))
            found[Stream.MARK_PRICE].append((at + 30, local + 30, price, None))
            found[Stream.INDEX_PRICE].append((at + 30, local + 30, price + 0.2, None))
            found[Stream.FUNDING_RATE].append((at + 30, local + 30, 0.0001, BEGIN + DAY_US, None))
            found[Stream.OPEN_INTEREST].append((at + 40, local + 40, 5_000.0 + second % 7, None))
    return found


def append(lake: Lake, ticks: dict[Stream, list[tuple[object, ...]]], exchange: Exchange = VENUE) -> None:
    with lake.writing(Scope(exchange, str(BTC), "parts")):
        batch = lake.batch()
        for stream, some in ticks.items():
            if some:
                schema = tick_schema(stream)
                plain = pl.Schema(
                    {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
                )
                frame = pl.DataFrame(some, schema=plain, orient="row").cast(schema)
                append_ticks(lake, batch, stream, exchange, BTC, frame, Source.RECORDING)
        batch.commit()


def held(lake: Lake, kind: ObjectKind) -> dict[tuple[str, str, str], pl.DataFrame]:
    return {
        (record.key.dataset, record.key.clock, record.key.interval): lake.store.read_parquet(record.path)
        for record in lake.current(kind)
    }


def test_bars_that_have_closed_are_those_of_the_build_after_the_day(lake: Lake) -> None:
    append(lake, rows(-100, 0))  # the day before, which is built
    build(lake)
    clock = Clockwork(BEGIN + 700 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    for begin in range(0, 700, 70):
        append(lake, rows(begin, begin + 70))
        builder.round()
    published = held(lake, ObjectKind.OPEN_BARS)
    append(lake, rows(700, 4_000))
    build(lake)
    months = held(lake, ObjectKind.BARS)
    compared = set()
    for (dataset, on, interval), bars in published.items():
        whole = months[dataset, on, interval].filter(pl.col("time") >= DAY)
        assert bars.equals(whole.head(bars.height)), (dataset, on, interval)
        assert bars.height
        compared.add((dataset, on, interval))
    wanted = {
        (name, on, interval)
        for name in DATASETS
        for on in Clock
        for interval in on.intervals
        if interval.microseconds <= 5 * MINUTE
    }
    assert compared == wanted
    last = published["ohlcv", "true", "1m"]["time"].max()
    assert last == DAY_AT.replace(minute=10), "the minute from 11:00 on is not over"


DAY_AT = pl.Series([BEGIN]).cast(pl.Datetime("us"))[0]


def test_months_keep_their_revision_until_the_day_is_over(lake: Lake) -> None:
    append(lake, rows(-100, 0))
    build(lake)
    before = {record.key: record.revision for record in lake.current(ObjectKind.BARS)}
    clock = Clockwork(BEGIN + 300 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    for begin in range(0, 300, 100):
        append(lake, rows(begin, begin + 100))
        builder.round()
    assert {record.key: record.revision for record in lake.current(ObjectKind.BARS)} == before
    assert lake.current(ObjectKind.OPEN_BARS)
    clock.now = BEGIN + DAY_US + 2 * 3_600 * SECOND
    compact_ticks(lake)
    assert builder.round().days
    assert lake.current(ObjectKind.OPEN_BARS) == [], "the month holds them now"
    after = {record.key: record.revision for record in lake.current(ObjectKind.BARS)}
    assert {key: revision for key, revision in after.items() if key in before} == dict.fromkeys(before, 2)
    assert build(lake).days == 0


def test_ticks_that_come_late_are_taken_in_when_the_day_is_read_anew(lake: Lake) -> None:
    clock = Clockwork(BEGIN + 200 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    late = rows(50, 60)
    append(lake, rows(0, 50))
    append(lake, rows(60, 200))
    builder.round()
    before = held(lake, ObjectKind.OPEN_BARS)["ohlcv", "exchange", "1m"]
    append(lake, late)
    builder.round()
    clock.now += 3_600 * SECOND
    append(lake, rows(200, 300))
    builder.round()
    after = held(lake, ObjectKind.OPEN_BARS)["ohlcv", "exchange", "1m"]
    assert before["volume"][0] == pytest.approx(50)
    assert after["volume"][0] == pytest.approx(60)


def test_a_day_can_be_read_anew_after_a_long_silence(lake: Lake) -> None:
    ticks = rows(0, 10)
    append(lake, {stream: ticks[stream] for stream in (Stream.TRADES, Stream.QUOTES)})
    days = OpenDays(lake, lambda: BEGIN + 600 * SECOND)
    days.read_ledger()
    later = rows(300, 400)
    append(lake, {Stream.QUOTES: later[Stream.QUOTES]})
    days.read_ledger()
    days.fold(
        {VENUE: BEGIN + 400 * SECOND}
    )  # trades of more than half a minute ago go into bars, and none is remembered
    state = days.instruments[VENUE, BTC].states[Clock.TRUE, BEGIN]
    assert {stream for stream, _ in state.recent()} == {Stream.QUOTES}
    days.reload((VENUE, BTC))


def test_a_builder_that_begins_later_gives_the_same_bars(lake: Lake) -> None:
    clock = Clockwork(BEGIN + 300 * SECOND)
    for begin in range(0, 300, 60):
        append(lake, rows(begin, begin + 60))
    OpenDayBuilder(lake, clock).round()
    first = held(lake, ObjectKind.OPEN_BARS)
    append(lake, rows(300, 301))
    OpenDayBuilder(lake, clock).round()
    second = held(lake, ObjectKind.OPEN_BARS)
    assert first.keys() <= second.keys()
    for key, bars in first.items():
        assert second[key].head(bars.height).equals(bars), key


def test_who_asks_before_the_first_bar_is_told_that_the_day_is_open(lake: Lake) -> None:
    def problem() -> str:
        with lake.engine.connect() as connection:
            found = symbol_problem(connection, VENUE, BTC)
        return "" if found is None else found.hint or ""

    assert "a minute or two after the start" in problem()
    assert "open" not in problem()
    append(lake, rows(0, 30))
    assert "Its day is open" in problem()
    append(lake, rows(30, 90))
    OpenDayBuilder(lake, lambda: BEGIN + 90 * SECOND).round()
    assert problem() == ""


def test_rows_are_told_by_the_second_and_files_written_by_the_minute(lake: Lake) -> None:
    told: list[object] = []
    now = BEGIN + 90 * SECOND
    append(lake, rows(0, 30))
    builder = OpenDayBuilder(lake, lambda: now)
    maker = LiveMaker(lake, told.extend, seconds=lambda: ALL_SECONDS, now=lambda: now)
    builder.round()
    maker.round()
    append(lake, rows(30, 50))
    assert builder.round().files == 0
    maker.round()
    assert told
    append(lake, rows(50, 70))
    done = builder.round()
    assert (done.files > 0, done.bars_until) == (True, BEGIN + MINUTE)


def test_venues_can_be_shared_among_makers_and_builders(lake: Lake) -> None:
    now = BEGIN + 130 * SECOND
    venues = (VENUE, Exchange.OKX_PERPS)
    told: dict[Exchange, list[LiveRow]] = {venue: [] for venue in venues}
    makers = [LiveMaker(lake, told[venue].extend, now=lambda: now, exchanges=[venue]) for venue in venues]
    builders = [OpenDayBuilder(lake, lambda: now, exchanges=[venue]) for venue in venues]
    for begin, end in ((0, 30), (30, 130)):
        for venue in venues:
            append(lake, rows(begin, end), venue)
        for maker in makers:
            maker.round()
    for number, builder in enumerate(builders, 1):
        assert builder.round().files > 0
        found = {record.key.exchange for record in lake.current(ObjectKind.OPEN_BARS)}
        assert found == set(venues[:number])
    assert [{row.exchange for row in told[venue]} for venue in venues] == [{venue} for venue in venues]


def test_files_that_gave_way_are_deleted_when_no_link_to_them_lives(lake: Lake) -> None:
    clock = Clockwork(BEGIN + 130 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    append(lake, rows(0, 130))
    builder.round()
    append(lake, rows(130, 200))
    builder.round()
    kept = len(lake.store.paths("open_bars"))
    assert kept > len(lake.current(ObjectKind.OPEN_BARS))
    from aperiodic.market.time import now_us  # noqa: PLC0415

    clock.now = now_us() + 3_600 * SECOND
    builder._tidy()
    assert len(lake.store.paths("open_bars")) == len(lake.current(ObjectKind.OPEN_BARS))


def test_a_day_in_parts_counts_as_a_day_with_ticks(lake: Lake) -> None:
    append(lake, rows(0, 10))
    append(lake, rows(10, 20))
    with lake.engine.connect() as connection:
        judgement = Judgement(connection, VENUE, [str(BTC)], [Stream.TRADES], DAY, DAY)
    assert judgement.has_ticks(str(BTC), Stream.TRADES, DAY)
    assert judgement.days_missing(str(BTC), Stream.TRADES, DAY, DAY) == ()
    assert Interval.M1.microseconds == MINUTE


def test_damaged_bars_of_an_open_day_are_computed_anew(lake: Lake) -> None:
    append(lake, rows(0, 130))
    clock = Clockwork(BEGIN + 130 * SECOND)
    OpenDayBuilder(lake, clock).round()
    expected = hashes(lake, *ObjectKind)
    record = lake.current(ObjectKind.OPEN_BARS, dataset="ohlcv")[0]
    file = lake.home / "store" / record.path
    file.write_bytes(file.read_bytes()[:-1])
    report = verify_store(lake.store, lake.engine, deep=True)
    assert report.damaged == [record.path]
    repaired = repair(lake, report, now=clock)
    assert (repaired.restored, repaired.lost) == ([record.path], [])
    assert hashes(lake, *ObjectKind) == expected
    assert verify_store(lake.store, lake.engine, deep=True).sound


def test_a_damaged_part_of_an_open_day_is_named_and_computed_with_by_nobody(lake: Lake) -> None:
    append(lake, rows(0, 130))
    clock = Clockwork(BEGIN + 130 * SECOND)
    record = lake.current(ObjectKind.TICK_PARTS, dataset="trades")[0]
    (lake.home / "store" / record.path).write_bytes(b"")
    report = verify_store(lake.store, lake.engine, deep=True)
    assert repair(lake, report, now=clock).lost == [record.path]
    assert record.path in str(OpenDayBuilder(lake, clock).round().trouble)
    assert lake.current(ObjectKind.OPEN_BARS) == []
