from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from aperiodic.completeness.causes import Cause, CauseCode, Condition, DayCondition
from aperiodic.completeness.conditions import read_conditions
from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.judgement import Judgement
from aperiodic.completeness.recorded import Recorded, add_recorded
from aperiodic.lake import ObjectKey, ObjectRecord
from aperiodic.lake.imports import ImportRecord, record_import
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.objects import replace_object
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import Lake

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
DAY = date(2025, 4, 10)
SECOND = 1_000_000
HOUR = 3_600 * SECOND


def us(day: date = DAY, hours: float = 0) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND + int(hours * HOUR)


def add_ticks(
    lake: Lake,
    stream: Stream,
    *days: date,
    exchange: Exchange = Exchange.BINANCE_FUTURES,
    source: Source = Source.RECORDING,
    last: int | None = None,
    delay: int = 1_000,
    symbol: Symbol = BTC,
) -> None:
    """Hold ticks of these days until `last` (default: the day's last ms), the last of which arrived `delay` µs later."""
    with begin_write(lake.engine) as connection:
        for day in days or (DAY,):
            end = us(day, 24) - 1_000 if last is None else last
            held = ObjectRecord(
                key=ObjectKey.ticks(stream, exchange, symbol, day),
                path="",
                revision=1,
                size=1,
                sha256="",
                rows=1,
                first_exchange=us(day),
                last_exchange=end,
                first_local=us(day) + 1_000,
                last_local=end + delay,
                source=source,
                fingerprint="",
                reason="test",
                created_at=0,
            )
            replace_object(connection, held)


def add_file(
    lake: Lake,
    first: int | None,
    last: int | None,
    *,
    exchange: Exchange = Exchange.BINANCE_FUTURES,
    source: Source = Source.RECORDING,
    ticks: dict[str, int] | None = None,
    rejected: dict[str, int] | None = None,
    notes: Sequence[str] = (),
) -> None:
    record = ImportRecord(
        source=source,
        exchange=exchange,
        sha256=f"{first} {last} {rejected} {notes}"[:64],
        name="file",
        size=1,
        version=1,
        lines=1,
        first_received=first,
        last_received=last,
        ticks=dict.fromkeys(Stream, 1) if ticks is None else ticks,
        rejected=rejected or {},
        notes=list(notes),
        finished_at=0,
    )
    with begin_write(lake.engine) as connection:
        record_import(connection, record)


def add_stretches(lake: Lake, *times: tuple[int, int], begins: str = "not_recorded", symbol: Symbol = BTC) -> None:
    """Add stretches of a numbered stream that lack one event between each other."""
    stretches = [Span(10 * place, 10 * place + 9, first, last, begins) for place, (first, last) in enumerate(times)]
    with begin_write(lake.engine) as connection:
        add_spans(connection, Exchange.BINANCE_FUTURES, symbol, Stream.TRADES, stretches)


def judge(
    lake: Lake,
    stream: Stream = Stream.TRADES,
    first: date = DAY,
    last: date | None = None,
    exchange: Exchange = Exchange.BINANCE_FUTURES,
    symbol: Symbol = BTC,
) -> list[DayCondition]:
    with lake.engine.connect() as connection:
        return read_conditions(connection, exchange, str(symbol), [stream], first, last or first)


def test_a_day_with_ticks_and_nothing_to_know_is_available(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES)
    add_stretches(lake, (us(DAY, -1), us(DAY, 25)))
    assert judge(lake) == [DayCondition(DAY, "recording", ())]
    assert judge(lake)[0].condition is Condition.AVAILABLE


def test_simulated_is_a_label_and_no_condition(lake: Lake) -> None:
    add_ticks(lake, Stream.QUOTES, source=Source.SIMULATED)
    (day,) = judge(lake, Stream.QUOTES)
    assert (day.source, day.condition) == ("simulated", Condition.AVAILABLE)


def test_a_day_without_ticks_is_missing_and_says_which_gap_it_lies_in(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES, date(2025, 4, 8), date(2025, 4, 12))
    add_stretches(lake, (us(DAY, -50), us(DAY, -30)), (us(DAY, 50), us(DAY, 60)), begins="not_recorded")
    (day,) = judge(lake)
    assert (day.condition, day.source) == (Condition.MISSING, None)
    assert day.causes == (
        Cause(CauseCode.NO_TICKS),
        Cause(CauseCode.GAP, "not_recorded", 1, us(DAY, -30), us(DAY, 50)),
    )


def test_gaps_make_the_days_that_they_overlap_partial_and_are_counted_by_cause(lake: Lake) -> None:
    days = [DAY + timedelta(days=offset) for offset in range(3)]
    add_ticks(lake, Stream.TRADES, *days)
    stretches = [(us(DAY), us(DAY, 1)), (us(DAY, 2), us(DAY, 3)), (us(DAY, 4), us(DAY, 23)), (us(DAY, 25), us(DAY, 72))]
    add_stretches(lake, *stretches, begins="sequence_break")
    first, second, third = judge(lake, last=days[-1])
    assert [day.condition for day in (first, second, third)] == [
        Condition.PARTIAL,
        Condition.PARTIAL,
        Condition.AVAILABLE,
    ]
    assert first.causes == (Cause(CauseCode.GAP, "sequence_break", 3, us(DAY, 1), us(DAY, 25)),)
    assert second.causes == (Cause(CauseCode.GAP, "sequence_break", 1, us(DAY, 23), us(DAY, 25)),)


@pytest.mark.parametrize(
    ("begin", "end", "causes"),
    [
        (60 * SECOND, DAY_US - 60 * SECOND, []),
        (60 * SECOND + 1, DAY_US, [(0, 60 * SECOND + 1)]),
        (0, DAY_US - 60 * SECOND - 1, [(DAY_US - 60 * SECOND - 1, DAY_US)]),
        (6 * HOUR, 18 * HOUR, [(0, 6 * HOUR), (18 * HOUR, DAY_US)]),
        (2 * DAY_US, 3 * DAY_US, [(0, DAY_US)]),
    ],
)
def test_numbers_that_do_not_span_the_day_make_it_partial(
    lake: Lake, begin: int, end: int, causes: list[tuple[int, int]]
) -> None:
    add_ticks(lake, Stream.TRADES)
    add_stretches(lake, (us() + begin, us() + end))
    (day,) = judge(lake)
    assert [(cause.code, cause.first_time, cause.last_time) for cause in day.causes] == [
        ("not_spanned", us() + first, us() + last) for first, last in causes
    ]
    assert day.condition == (Condition.PARTIAL if causes else Condition.AVAILABLE)


def test_a_month_is_complete_exactly_when_no_day_is_partial_or_missing(lake: Lake) -> None:
    april = [date(2025, 4, 1) + timedelta(days=offset) for offset in range(30)]
    begin, end = us(april[0]), us(april[-1], 24)
    random = Random(1)  # noqa: S311 - a test
    outcomes = set()
    for number in range(30):
        symbol = replace(BTC, base=f"C{number}")
        absent = random.choice([None, random.choice(april)])
        add_ticks(lake, Stream.TRADES, *(day for day in april if day != absent), symbol=symbol)
        inner = [random.randint(begin - DAY_US, end + DAY_US) for _ in range(random.choice([0, 0, 2]))]
        edges = random.choice([-90, -1, 60, 61]), random.choice([-61, -60, 1, 90])
        times = sorted([begin + edges[0] * SECOND, *inner, end + edges[1] * SECOND])
        add_stretches(lake, *zip(times[::2], times[1::2], strict=True), symbol=symbol)
        with lake.engine.connect() as connection:
            days = april[0], april[-1]
            judgement = Judgement(connection, Exchange.BINANCE_FUTURES, [str(symbol)], [Stream.TRADES], *days)
            judged = judgement.verdict(str(symbol), [Stream.TRADES], *days)
        conditions = {day.condition for day in judge(lake, first=april[0], last=april[-1], symbol=symbol)}
        outcomes.add(judged.complete)
        assert judged.complete == conditions.isdisjoint({Condition.PARTIAL, Condition.MISSING})
    assert outcomes == {True, False}


def add_recordings(lake: Lake, stream: Stream, *hours: tuple[float, float], ends: str = "") -> None:
    """Record a stream from some hours of the day to others; waits of a second are usual."""
    times = [(us(DAY, begin), us(DAY, end)) for begin, end in hours]
    intervals = [Recorded(first - SECOND, last + SECOND, first, last, ends=ends) for first, last in times]
    with begin_write(lake.engine) as connection:
        add_recorded(connection, Exchange.BINANCE_FUTURES, {(str(BTC), stream): intervals})


def test_times_in_which_nothing_was_recorded_make_a_day_partial(lake: Lake) -> None:
    add_ticks(lake, Stream.QUOTES)
    add_recordings(lake, Stream.QUOTES, (-1, 8), (8.0002, 9), (10, 23))
    add_recordings(lake, Stream.TRADES, (9, 10))
    (day,) = judge(lake, Stream.QUOTES)
    assert day.causes == (Cause(CauseCode.NOT_RECORDED, None, 2, us(DAY, 9), us(DAY, 24)),)
    assert day.condition is Condition.PARTIAL
    add_recordings(lake, Stream.QUOTES, (8, 25))
    assert judge(lake, Stream.QUOTES)[0].condition is Condition.AVAILABLE


def test_a_table_that_breaks_off_makes_the_day_partial(lake: Lake) -> None:
    add_ticks(lake, Stream.QUOTES, source=Source.TARDIS, last=us(DAY, 12))
    add_recordings(lake, Stream.QUOTES, (0, 12), ends="cut_short")
    (day,) = judge(lake, Stream.QUOTES)
    assert day.causes == (Cause(CauseCode.CUT_SHORT, None, 1, us(DAY, 12), us(DAY, 24)),)
    assert day.condition is Condition.PARTIAL


def test_a_dataset_is_judged_by_all_streams_that_it_is_made_from(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES)
    add_recordings(lake, Stream.QUOTES, (0, 6), (12, 24))
    with lake.engine.connect() as connection:
        streams = [Stream.TRADES, Stream.QUOTES]
        (day,) = read_conditions(connection, Exchange.BINANCE_FUTURES, str(BTC), streams, DAY, DAY)
    assert [(cause.code, cause.joined, cause.condition) for cause in day.causes] == [
        ("no_ticks", "quotes", "partial"),
        ("not_recorded", "quotes", "partial"),
    ]
    assert (day.source, day.condition) == ("recording", Condition.PARTIAL)


@pytest.mark.parametrize(
    ("exchange", "stream", "modelled"),
    [
        (Exchange.BINANCE, Stream.QUOTES, True),
        (Exchange.BINANCE_FUTURES, Stream.QUOTES, False),
        (Exchange.BINANCE, Stream.TRADES, False),
        (Exchange.HYPERLIQUID_PERPS, Stream.OPEN_INTEREST, True),
        (Exchange.HYPERLIQUID_PERPS, Stream.BOOK, False),
    ],
)
def test_streams_without_a_time_of_their_own_are_degraded(
    lake: Lake, exchange: Exchange, stream: Stream, *, modelled: bool
) -> None:
    add_ticks(lake, stream, exchange=exchange)
    (day,) = judge(lake, stream, exchange=exchange)
    assert day.causes == ((Cause(CauseCode.MODELLED_EXCHANGE_TIME),) if modelled else ())
    assert day.condition == (Condition.DEGRADED if modelled else Condition.AVAILABLE)


def test_okx_funding_rates_are_modelled_where_a_file_says_so(lake: Lake) -> None:
    exchange = Exchange.OKX_PERPS
    add_ticks(lake, Stream.FUNDING_RATE, DAY, DAY + timedelta(days=1), exchange=exchange)
    add_ticks(lake, Stream.MARK_PRICE, exchange=exchange)
    add_file(lake, us(DAY), us(DAY, 24) - 1, exchange=exchange, notes=["modelled_exchange_time"])
    first, second = judge(lake, Stream.FUNDING_RATE, last=DAY + timedelta(days=1), exchange=exchange)
    assert first.causes == (Cause(CauseCode.MODELLED_EXCHANGE_TIME, None, 1, per_file=True),)
    assert second.causes == ()
    assert judge(lake, Stream.MARK_PRICE, exchange=exchange)[0].causes == ()


def test_ticks_that_came_over_a_minute_late_are_told(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES, DAY, delay=60 * SECOND)
    assert judge(lake)[0].condition is Condition.AVAILABLE
    add_ticks(lake, Stream.QUOTES, DAY, last=us(DAY, 20), delay=60 * SECOND + 1)
    (day,) = judge(lake, Stream.QUOTES)
    assert day.causes == (Cause(CauseCode.LATE_ARRIVALS, None, None, us(DAY, 20), us(DAY, 20) + 60 * SECOND + 1),)
    assert day.condition is Condition.DEGRADED


def test_rejected_lines_count_for_every_day_of_their_file_and_no_other(lake: Lake) -> None:
    days = [DAY + timedelta(days=offset) for offset in range(-1, 3)]
    add_ticks(lake, Stream.TRADES, *days)
    add_stretches(lake, (us(days[0]), us(days[-1], 24)))
    add_file(lake, us(DAY, 23), us(DAY, 24), rejected={"malformed": 2, "off_book_trade": 50})
    add_file(lake, us(DAY, 1), us(DAY, 2), rejected={"malformed": 1, "bad_number": 4})
    add_file(lake, us(DAY, 40), us(DAY, 41), rejected={"off_book_trade": 50})
    add_file(lake, None, None, rejected={"malformed": 9})
    add_file(lake, us(DAY, 1), us(DAY, 2), rejected={"malformed": 9}, exchange=Exchange.BINANCE)
    before, first, second, after = judge(lake, first=days[0], last=days[-1])
    assert first.causes == (
        Cause(CauseCode.REJECTED_LINES, "bad_number", 4, per_file=True),
        Cause(CauseCode.REJECTED_LINES, "malformed", 3, per_file=True),
    )
    assert second.causes == (Cause(CauseCode.REJECTED_LINES, "malformed", 2, per_file=True),)
    assert (first.condition, second.condition) == (Condition.DEGRADED, Condition.DEGRADED)
    assert (before.causes, after.causes) == ((), ())


def test_a_tardis_file_of_another_stream_does_not_concern_this_one_but_a_recording_does(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES)
    for place, (source, ticks) in enumerate(
        [(Source.TARDIS, {"quotes": 1}), (Source.TARDIS, {}), (Source.TARDIS, {"trades": 1}), (Source.RECORDING, {})]
    ):
        add_file(lake, us(), us(DAY, 1) + place, source=source, ticks=ticks, rejected={f"reason_{place}": 1})
    assert [cause.detail for cause in judge(lake)[0].causes] == ["reason_1", "reason_2", "reason_3"]


def test_notes_concern_their_stream_symbol_and_time(lake: Lake) -> None:
    days = [DAY, DAY + timedelta(days=1)]
    for stream in (Stream.TRADES, Stream.BOOK, Stream.QUOTES, Stream.OPEN_INTEREST, Stream.MARK_PRICE):
        add_ticks(lake, stream, *days)
    notes = [
        "aggregated_trades",
        f"backlog_dropped:{BTC}:{us(DAY, 25)}",
        f"book_awaits:{BTC}:12",
        "book_beyond_snapshot_depth",
        "checksum_mismatch",
        "sequence_reset",
        "quotes_from_book",
        "open_interest_in_contracts_left_out",
        "a_note_of_the_future",
    ]
    add_file(lake, us(), us(DAY, 48), notes=notes)
    add_file(lake, us(), us(DAY, 1), notes=["sequence_reset", "backlog_dropped:perpetual-ETH-USDT:USDT:0"])

    def told(stream: Stream) -> list[list[tuple[str | None, int | None]]]:
        days_told = judge(lake, stream, last=days[-1])
        assert all(cause.per_file for day in days_told for cause in day.causes if cause.code == "note")
        return [[(cause.detail, cause.count) for cause in day.causes] for day in days_told]

    assert told(Stream.TRADES) == [
        [("aggregated_trades", 1)],
        # Trades from before are held: what was left out is missing.
        [("backlog_dropped", 1), ("aggregated_trades", 1), ("backlog_dropped", 1)],
    ]
    both = [("book_beyond_snapshot_depth", 1)]
    assert told(Stream.BOOK) == [[*both, ("sequence_reset", 2)], [*both, ("sequence_reset", 1)]]
    assert told(Stream.QUOTES) == [[("quotes_from_book", 1)]] * 2
    assert told(Stream.OPEN_INTEREST) == [[("open_interest_in_contracts_left_out", 1)]] * 2
    assert told(Stream.MARK_PRICE) == [[], []]


def test_the_worst_cause_decides_and_all_are_told(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES, delay=HOUR)
    add_stretches(lake, (us(DAY, 1), us(DAY, 2)), (us(DAY, 3), us(DAY, 24)), begins="sequence_break")
    add_file(lake, us(), us(DAY, 24), rejected={"malformed": 1}, notes=["aggregated_trades"])
    (day,) = judge(lake)
    assert [cause.code for cause in day.causes] == ["gap", "not_spanned", "late_arrivals", "rejected_lines", "note"]
    assert day.condition is Condition.PARTIAL
