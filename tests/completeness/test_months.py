from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.months import Completeness, days_held, judge_series, month_completeness
from aperiodic.lake import Lake, NewObject, ObjectKey, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
SECOND = 1_000_000
MARCH, APRIL, MAY = (int(datetime(2025, month, 1, tzinfo=UTC).timestamp()) * SECOND for month in (3, 4, 5))
FEBRUARY = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp()) * SECOND


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path))) as opened:
        yield opened


def add_days(lake: Lake, first: date, last: date, *, stream: Stream = Stream.TRADES, symbol: Symbol = BTC) -> None:
    batch = lake.batch()
    for offset in range((last - first).days + 1):
        key = ObjectKey.ticks(stream, Exchange.BINANCE, symbol, first + timedelta(days=offset))
        batch.put(NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint="f", reason="r"), key.period.encode())
    batch.commit()


def add(lake: Lake, *stretches: Span) -> None:
    with begin_write(lake.engine) as connection:
        add_spans(connection, Exchange.BINANCE, BTC, Stream.TRADES, stretches)


def judge(lake: Lake, *months: str) -> dict[str, Completeness]:
    with lake.engine.connect() as connection:
        return month_completeness(connection, Exchange.BINANCE, str(BTC), Stream.TRADES, months)


def span(after: int, last: int, first_time: int, last_time: int) -> Span:
    return Span(after, last, first_time, last_time, "sequence_break")


@pytest.fixture
def march(lake: Lake) -> Lake:
    add_days(lake, date(2025, 3, 1), date(2025, 3, 31))
    return lake


def test_every_day_and_one_stretch_is_complete(march: Lake) -> None:
    add(march, span(0, 9, MARCH, APRIL - 1))
    assert judge(march, "2025-03") == {"2025-03": Completeness(complete=True, days_missing=(), gaps=0)}


def test_a_missing_day_is_named(lake: Lake) -> None:
    add_days(lake, date(2025, 2, 1), date(2025, 2, 13))
    add_days(lake, date(2025, 2, 15), date(2025, 2, 28))
    add_days(lake, date(2025, 2, 14), date(2025, 2, 14), stream=Stream.QUOTES)
    add_days(lake, date(2025, 2, 14), date(2025, 2, 14), symbol=Symbol.parse("perpetual-ETH-USDT:USDT"))
    assert judge(lake, "2025-02")["2025-02"] == Completeness(complete=False, days_missing=(date(2025, 2, 14),), gaps=0)


def test_a_stream_without_numbers_needs_only_its_days(march: Lake) -> None:
    assert judge(march, "2025-03")["2025-03"].complete


def test_december_and_leap_days(lake: Lake) -> None:
    missing = {month: len(found.days_missing) for month, found in judge(lake, "2024-02", "2024-12").items()}
    assert missing == {"2024-02": 29, "2024-12": 31}


@pytest.mark.parametrize(
    ("first_time", "last_time", "complete"),
    [
        (MARCH + 60 * SECOND, APRIL - 60 * SECOND, True),
        (MARCH + 60 * SECOND + 1, APRIL - 1, False),
        (MARCH, APRIL - 60 * SECOND - 1, False),
        (FEBRUARY, MAY, True),
        (FEBRUARY, MARCH - 1, False),
        (APRIL, MAY, False),
    ],
)
def test_the_stretches_must_reach_both_ends_within_a_minute(
    march: Lake, first_time: int, last_time: int, complete: bool
) -> None:
    add(march, span(0, 9, first_time, last_time))
    assert judge(march, "2025-03")["2025-03"].complete is complete


@pytest.mark.parametrize(
    ("gap", "months"),
    [
        ((MARCH + 5 * SECOND, MARCH + 6 * SECOND), ["2025-03"]),
        ((MARCH + 5 * SECOND, MARCH + 5 * SECOND), ["2025-03"]),
        ((APRIL - 1, APRIL), ["2025-03", "2025-04"]),
        ((MARCH - 1, MARCH), ["2025-02", "2025-03"]),
        ((APRIL, APRIL + 1), ["2025-04"]),
        ((FEBRUARY + 1, APRIL + 1), ["2025-02", "2025-03", "2025-04"]),
    ],
)
def test_a_gap_counts_in_every_month_that_it_overlaps(lake: Lake, gap: tuple[int, int], months: list[str]) -> None:
    add_days(lake, date(2025, 2, 1), date(2025, 4, 30))
    add(lake, span(0, 9, FEBRUARY, gap[0]), span(12, 20, gap[1], MAY))
    judged = judge(lake, "2025-02", "2025-03", "2025-04")
    assert [month for month, found in judged.items() if found.gaps] == months
    assert [month for month, found in judged.items() if not found.complete] == months


def test_the_number_of_queries_does_not_grow_with_the_months(march: Lake) -> None:
    statements: list[str] = []
    event.listen(march.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    judge(march, "2025-03")
    few = len(statements)
    judge(march, *(f"{year}-{month:02d}" for year in range(2015, 2025) for month in range(1, 13)))
    assert len(statements) == 2 * few


def test_many_series_are_judged_as_each_of_them_alone_with_the_same_few_queries(lake: Lake) -> None:
    symbols = [Symbol.parse(f"perpetual-C{number:02d}-USDT:USDT") for number in range(5)]
    months = ["2025-02", "2025-03", "2025-04"]
    for number, symbol in enumerate(symbols):
        # Whole months, months cut at either end, a hole, and nothing at all.
        stream = Stream.BOOK if number % 2 else Stream.TRADES
        hole = date(2025, 3, 17 if number % 3 else 16)
        if number < 4:
            add_days(lake, date(2025, 2, 1 + number), date(2025, 3, 16), symbol=symbol, stream=stream)
            add_days(lake, hole + timedelta(days=1), date(2025, 4, 30 - 2 * number), symbol=symbol, stream=stream)
    with begin_write(lake.engine) as connection:
        for symbol in symbols[::3]:
            stretches = [
                span(0, 9, FEBRUARY, MARCH - 1),
                span(12, 20, MARCH + 2, MARCH + 5),
                span(30, 40, MARCH + 6, MAY),
            ]
            add_spans(connection, Exchange.BINANCE, symbol, Stream.TRADES, stretches)
    wanted = {(str(symbol), stream): months[number % 2 :] for number, symbol in enumerate(symbols) for stream in Stream}
    wanted[str(symbols[0]), Stream.QUOTES] = []
    statements: list[str] = []
    event.listen(lake.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with lake.engine.connect() as connection:
        held = days_held(connection, Exchange.BINANCE, [str(symbol) for symbol in symbols], list(Stream))
        together = judge_series(connection, Exchange.BINANCE, wanted, held)
        assert len([statement for statement in statements if statement.startswith("SELECT")]) == 5
        alone = {
            (symbol, stream): month_completeness(connection, Exchange.BINANCE, symbol, stream, asked)
            for (symbol, stream), asked in wanted.items()
        }
    assert together == alone
    assert {judged.complete for found in together.values() for judged in found.values()} == {True, False}
    assert {judged.gaps for found in together.values() for judged in found.values()} == {0, 1, 2}


def test_no_month_is_no_question(lake: Lake) -> None:
    assert judge(lake) == {}
