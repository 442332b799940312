from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.statements import trace_statements

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.judgement import Completeness, Judgement
from aperiodic.completeness.recorded import ANY_STREAM, Recorded, add_recorded, read_recorded, whole_days
from aperiodic.lake import Lake, NewObject, ObjectKey, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol
from aperiodic.market.time import month_days

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
    days = month_days(months[0])[0], month_days(months[-1])[1]
    with lake.engine.connect() as connection:
        judgement = Judgement(connection, Exchange.BINANCE, [str(BTC)], [Stream.TRADES], *days)
    return {month: judgement.verdict(str(BTC), [Stream.TRADES], *month_days(month)) for month in months}


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


def test_days_of_which_no_file_tells_anything_count_as_whole(march: Lake) -> None:
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


def test_the_number_of_queries_does_not_grow_with_months_and_series(march: Lake) -> None:
    statements = trace_statements(march.engine)
    judge(march, "2025-03")
    few = len([text for text in statements if text.startswith("SELECT")])
    with march.engine.connect() as connection:
        symbols = [str(BTC), *(f"perpetual-C{number}-USDT:USDT" for number in range(50))]
        Judgement(connection, Exchange.BINANCE, symbols, list(Stream), date(2015, 1, 1), date(2025, 12, 31))
    assert few == 6
    assert len([text for text in statements if text.startswith("SELECT")]) == 2 * few


HOUR = 3_600 * SECOND
MARCH_5 = MARCH + 4 * DAY_US
WHOLE = whole_days(MARCH, APRIL)


def record(lake: Lake, *intervals: Recorded, stream: str = Stream.TRADES) -> None:
    with begin_write(lake.engine) as connection:
        add_recorded(connection, Exchange.BINANCE, {(str(BTC), stream): intervals})


def recorded(begin: int, end: int, quiet: int = 0, begins: str = "", ends: str = "") -> Recorded:
    return Recorded(begin - SECOND, end + SECOND, begin, end, quiet, begins, ends)


def found(lake: Lake) -> list[tuple[str, str | None, int, int]]:
    with lake.engine.connect() as connection:
        judgement = Judgement(
            connection, Exchange.BINANCE, [str(BTC)], [Stream.TRADES], date(2025, 3, 1), date(2025, 3, 31)
        )
    missing = judgement.missing(str(BTC), Stream.TRADES)
    return [(item.code, item.detail, item.first_time - MARCH_5, item.last_time - MARCH_5) for item in missing]


def complete_days(lake: Lake, *days: int) -> list[bool]:
    with lake.engine.connect() as connection:
        judgement = Judgement(
            connection, Exchange.BINANCE, [str(BTC)], [Stream.TRADES], date(2025, 3, 1), date(2025, 3, 31)
        )
    asked = [date(2025, 3, day) for day in days]
    return [judgement.verdict(str(BTC), [Stream.TRADES], day, day).complete for day in asked]


def test_a_recorder_that_was_down_is_told_for_its_day_and_no_other(march: Lake) -> None:
    record(march, recorded(MARCH, MARCH_5 + 12 * HOUR), recorded(MARCH_5 + 18 * HOUR, APRIL))
    assert found(march) == [("not_recorded", None, 12 * HOUR, 18 * HOUR)]
    assert complete_days(march, 4, 5, 6, 7) == [True, False, True, True]
    assert judge(march, "2025-03") == {"2025-03": Completeness(complete=False, days_missing=(), gaps=1)}


def test_an_outage_until_midnight_does_not_touch_the_next_day(march: Lake) -> None:
    record(march, recorded(MARCH, MARCH_5 + 18 * HOUR), recorded(MARCH_5 + 24 * HOUR + 900_000, APRIL))
    assert complete_days(march, 5, 6) == [False, True]
    record(march, recorded(MARCH_5 + 18 * HOUR, MARCH_5 + 24 * HOUR))
    assert complete_days(march, 5, 6) == [True, True]


def test_consecutive_numbers_prove_that_a_recorder_that_was_down_missed_nothing(march: Lake) -> None:
    record(march, recorded(MARCH, MARCH_5 + 12 * HOUR), recorded(MARCH_5 + 18 * HOUR, APRIL))
    add(march, span(0, 9, MARCH + HOUR, APRIL - HOUR))
    assert found(march) == []
    assert judge(march, "2025-03")["2025-03"].complete


def test_a_gap_of_numbers_over_midnight_is_narrowed_to_when_nothing_was_recorded(march: Lake) -> None:
    record(march, recorded(MARCH, MARCH_5 + 20 * HOUR), recorded(MARCH_5 + 23 * HOUR, APRIL))
    add(march, span(0, 9, MARCH, MARCH_5 + 19 * HOUR), span(12, 20, MARCH_5 + 25 * HOUR, APRIL))
    assert found(march) == [("gap", "sequence_break", 20 * HOUR, 23 * HOUR)]
    assert complete_days(march, 5, 6) == [False, True]


def test_a_gap_of_numbers_within_a_recording_touches_both_days(march: Lake) -> None:
    record(march, WHOLE)
    add(march, span(0, 9, MARCH, MARCH_5 + 19 * HOUR), span(12, 20, MARCH_5 + 25 * HOUR, APRIL))
    assert complete_days(march, 4, 5, 6, 7) == [True, False, False, True]


def test_a_quiet_market_at_the_edges_of_a_numbered_stream_is_no_gap_while_it_was_recorded(march: Lake) -> None:
    record(march, WHOLE)
    add(march, span(0, 9, MARCH + 2 * HOUR, APRIL - 2 * HOUR))
    assert judge(march, "2025-03")["2025-03"].complete
    record(march, recorded(MARCH - DAY_US, MARCH - HOUR))
    assert judge(march, "2025-03")["2025-03"].complete


def test_a_stream_may_be_silent_for_a_while_where_its_instrument_was_recorded(march: Lake) -> None:
    pieces = [(MARCH, MARCH_5 + 12 * HOUR), (MARCH_5 + 14 * HOUR, APRIL)]
    record(march, *(recorded(*piece, quiet=HOUR) for piece in pieces))
    record(march, WHOLE, stream=ANY_STREAM)
    assert found(march) == [("not_recorded", None, 12 * HOUR, 14 * HOUR)]
    record(march, recorded(*pieces[0], quiet=3 * HOUR))
    assert found(march) == []


def test_an_unknown_book_says_why_and_a_table_that_broke_off_too(march: Lake) -> None:
    record(
        march,
        recorded(MARCH, MARCH_5 + 2 * HOUR, ends="checksum_mismatch"),
        recorded(MARCH_5 + 3 * HOUR, MARCH_5 + 4 * HOUR, begins="checksum_mismatch", ends="cut_short"),
        recorded(MARCH_5 + 9 * HOUR, APRIL),
    )
    assert found(march) == [
        ("gap", "checksum_mismatch", 2 * HOUR, 3 * HOUR),
        ("cut_short", None, 4 * HOUR, 9 * HOUR),
    ]


def test_a_stream_that_is_only_joined_counts_as_well(march: Lake) -> None:
    record(march, recorded(MARCH, MARCH_5 + 12 * HOUR), recorded(MARCH_5 + 18 * HOUR, APRIL), stream=Stream.QUOTES)
    streams = [Stream.TRADES, Stream.QUOTES]
    add_days(march, date(2025, 3, 1), date(2025, 3, 31), stream=Stream.QUOTES)
    with march.engine.connect() as connection:
        judgement = Judgement(
            connection, Exchange.BINANCE, [str(BTC)], list(Stream), date(2025, 3, 1), date(2025, 3, 31)
        )
    verdicts = [judgement.verdict(str(BTC), streams, date(2025, 3, day), date(2025, 3, day)) for day in (4, 5)]
    assert [verdict.complete for verdict in verdicts] == [True, False]
    without = judgement.verdict(str(BTC), [*streams, Stream.BOOK], date(2025, 3, 4), date(2025, 3, 4))
    assert without == Completeness(complete=False, days_missing=(), gaps=1)


def test_intervals_become_the_same_in_whatever_order_they_come(tmp_path: Path) -> None:
    intervals = [
        recorded(at * HOUR, at * HOUR + HOUR // 2 + shift, quiet=at, begins=f"b{at}", ends=f"e{at}")
        for at, shift in [(0, 0), (1, HOUR // 2), (2, 0), (2, HOUR // 3), (4, -HOUR // 2), (1, 3 * HOUR), (9, 0)]
    ]
    results = []
    for number, order in enumerate([intervals, intervals[::-1], intervals[3:] + intervals[:3]]):
        with closing(Lake.open(Settings(home=tmp_path / str(number)))) as opened:
            for interval in order:
                record(opened, interval)
            with opened.engine.connect() as connection:
                results.append(read_recorded(connection, Exchange.BINANCE, [str(BTC)], 0, 99 * HOUR))
    assert results[0] == results[1] == results[2]
    assert [(item.first_time // HOUR, item.begins, item.ends) for item in results[0][str(BTC), Stream.TRADES]] == [
        (0, "b0", "e0"),
        (1, "b1", "e1"),
        (9, "b9", "e9"),
    ]


def test_an_order_book_that_was_unknown_for_a_moment_was_not_merely_silent(march: Lake) -> None:
    pieces = (MARCH, MARCH_5 + 12 * HOUR), (MARCH_5 + 12 * HOUR + 20 * SECOND, APRIL)
    record(march, recorded(*pieces[0], quiet=HOUR, ends="checksum_mismatch"), recorded(*pieces[1], quiet=HOUR))
    record(march, WHOLE, stream=ANY_STREAM)
    assert complete_days(march, 4, 5, 6) == [True, False, True]
