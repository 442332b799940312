from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.series import PublishedSeries, read_series, symbols_after
from aperiodic.completeness.tick_days import read_tick_days
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.market.time import months_between

if TYPE_CHECKING:
    from aperiodic.lake import Lake

VENUE = Exchange.OKX_PERPS
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
ETH = replace(BTC, base="ETH")
APRIL, MAY, JUNE = (date(2025, month, 1) for month in (4, 5, 6))


def bars(
    dataset: str = "ohlcv", interval: Interval = Interval.M5, month: date = APRIL, *, symbol: Symbol = BTC
) -> ObjectKey:
    return ObjectKey.bars(dataset, Clock.EXCHANGE, interval, VENUE, symbol, month)


def publish(
    lake: Lake,
    *keys: ObjectKey,
    content: str = "a",
    rows: int = 10,
    reason: str = "first build",
    fingerprint: str = "",
    source: Source = Source.RECORDING,
) -> None:
    batch = lake.batch()
    for key in keys:
        new = NewObject(key=key, rows=rows, source=source, fingerprint=fingerprint or content, reason=reason)
        batch.put(new, content.encode())
    batch.commit()


def add_ticks(lake: Lake, stream: Stream, *days: date, symbol: Symbol = BTC, content: str = "ticks") -> None:
    publish(lake, *(ObjectKey.ticks(stream, VENUE, symbol, day) for day in days), content=content)


def withdraw(lake: Lake, key: ObjectKey) -> None:
    batch = lake.batch()
    batch.retire(key)
    batch.commit()


def add_stretches(lake: Lake, *stretches: Span, stream: Stream = Stream.TRADES, symbol: Symbol = BTC) -> None:
    with begin_write(lake.engine) as connection:
        add_spans(connection, VENUE, symbol, stream, stretches)


def us(day: date, seconds: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + seconds) * 1_000_000


def series_of(lake: Lake, *symbols: Symbol, dataset: str | None = None, most_gaps: int = 20) -> list[PublishedSeries]:
    with lake.engine.connect() as connection:
        return read_series(connection, VENUE, [str(symbol) for symbol in symbols or (BTC,)], dataset, most_gaps)


def test_a_series_is_all_that_is_published_of_a_dataset_of_an_instrument(lake: Lake) -> None:
    publish(lake, bars(month=MAY), bars(interval=Interval.H1), rows=7, content="four")
    publish(lake, ObjectKey.bars("ohlcv", Clock.TRUE, Interval.S1, VENUE, BTC, APRIL), rows=5, content="seventh")
    publish(lake, bars("funding"), bars(symbol=ETH), source=Source.TARDIS)
    publish(lake, ObjectKey.bars("flow", Clock.TRUE, Interval.S1, Exchange.BINANCE, BTC, APRIL))
    found = series_of(lake, ETH, BTC)
    assert [(series.symbol, series.dataset, series.stream) for series in found] == [
        (str(ETH), "ohlcv", "trades"),
        (str(BTC), "funding", "funding_rate"),
        (str(BTC), "ohlcv", "trades"),
    ]
    ohlcv = found[2]
    assert ohlcv.intervals == {Clock.EXCHANGE: [Interval.M5, Interval.H1], Clock.TRUE: [Interval.S1]}
    assert [month.month for month in ohlcv.months] == ["2025-04", "2025-05"]
    april = ohlcv.months[0].current
    assert [(made.files, made.files_current, made.rows, made.size) for made in april] == [(2, 2, 12, 11)]
    assert (found[1].months[0].current[0].sources, april[0].sources) == (("tardis",), ("recording",))
    assert [series.dataset for series in series_of(lake, BTC, dataset="funding")] == ["funding"]
    assert series_of(lake, BTC, dataset="basis") == []


def test_days_gaps_and_numbers_are_those_of_the_driving_stream(lake: Lake) -> None:
    publish(lake, bars("ohlcv"), bars("funding"), bars("basis"))
    add_ticks(lake, Stream.TRADES, *(date(2025, 4, day) for day in (3, 4, 7, 10)))
    add_ticks(lake, Stream.FUNDING_RATE, date(2025, 3, 30), date(2025, 4, 2))
    add_ticks(lake, Stream.TRADES, date(2025, 1, 1), symbol=ETH)
    add_stretches(lake, Span(0, 5, us(APRIL, 10), us(APRIL, 20), "not_recorded"))
    add_stretches(lake, Span(9, 12, us(APRIL, 30), us(APRIL, 40), "sequence_break"))
    add_stretches(lake, Span(2, 3, us(MAY), us(MAY), "not_recorded"), stream=Stream.BOOK)
    basis, funding, ohlcv = sorted(series_of(lake), key=lambda series: series.dataset)
    assert (ohlcv.first_day, ohlcv.last_day) == (date(2025, 4, 3), date(2025, 4, 10))
    assert ohlcv.days_missing == [date(2025, 4, day) for day in (5, 6, 8, 9)]
    assert [(gap.first_missing, gap.last_missing, gap.cause) for gap in ohlcv.gaps] == [(6, 9, "sequence_break")]
    assert (ohlcv.gaps_total, ohlcv.numbered) == (1, (us(APRIL, 10), us(APRIL, 40)))
    assert funding.days_missing == [date(2025, 3, 31), date(2025, 4, 1)]
    assert (funding.first_day, funding.gaps, funding.gaps_total, funding.numbered) == (date(2025, 3, 30), [], 0, None)
    assert (basis.first_day, basis.last_day, basis.days_missing) == (None, None, [])
    assert [series.months[0].completeness.complete for series in (basis, funding, ohlcv)] == [False] * 3


def test_missing_days_include_those_of_months_without_bars_and_are_ascending(lake: Lake) -> None:
    publish(lake, bars("flow", month=MAY), bars("ohlcv", month=APRIL))
    held = [date(2025, 3, 30), date(2025, 4, 1), *(MAY + timedelta(days=offset) for offset in range(2))]
    add_ticks(lake, Stream.TRADES, *held)
    for series in series_of(lake):
        assert series.days_missing == [date(2025, 3, 31), *(date(2025, 4, day) for day in range(2, 31))]


def test_a_month_that_is_all_there_is_complete(lake: Lake) -> None:
    publish(lake, bars(month=APRIL), bars(month=MAY))
    add_ticks(lake, Stream.TRADES, *(APRIL + timedelta(days=offset) for offset in range(60)))
    (series,) = series_of(lake)
    assert [month.completeness.complete for month in series.months] == [True, False]


def test_only_the_first_gaps_are_named_but_all_are_counted(lake: Lake) -> None:
    publish(lake, bars(), bars(symbol=ETH))
    numbers = range(0, 50, 10)
    add_stretches(lake, *(Span(at, at + 5, us(APRIL, at), us(APRIL, at + 5), "sequence_break") for at in numbers))
    add_stretches(
        lake, Span(0, 1, 0, us(APRIL, 1), "not_recorded"), Span(2, 3, us(APRIL, 2), 3, "not_recorded"), symbol=ETH
    )
    btc, eth = series_of(lake, BTC, ETH, most_gaps=3)
    assert [gap.first_missing for gap in btc.gaps] == [6, 16, 26]
    assert (btc.gaps_total, len(eth.gaps), eth.gaps_total) == (4, 1, 1)


def test_months_without_files_are_named_and_a_withdrawn_one_is_among_them(lake: Lake) -> None:
    publish(lake, bars(month=APRIL), bars(month=MAY), bars(month=JUNE), bars(month=date(2025, 9, 1)))
    withdraw(lake, bars(month=MAY))
    (series,) = series_of(lake)
    assert [month.month for month in series.months] == ["2025-04", "2025-06", "2025-09"]
    assert series.months_missing == ["2025-05", "2025-07", "2025-08"]


def test_earlier_revisions_tell_when_and_from_which_file_on_they_were_replaced(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    m5, h1 = bars(), bars(interval=Interval.H1)
    times = iter((100, 101, 200, 300, 400))
    monkeypatch.setattr("aperiodic.lake.lake.now_us", lambda: next(times))
    publish(lake, m5, h1, content="a", rows=3)
    publish(lake, m5, content="b", reason="ticks changed")
    publish(lake, m5, content="c", reason="engine changed", rows=4)
    publish(lake, h1, content="b", reason="engine changed", rows=5)
    (month,) = series_of(lake)[0].months
    assert [
        (made.revision, made.reason, made.published_at, made.replaced_at, made.files, made.files_current, made.rows)
        for made in month.earlier
    ] == [(1, "first build", 101, 200, 2, 0, 0), (2, "ticks changed", 200, 300, 1, 0, 0)]
    assert [
        (made.revision, made.reason, made.published_at, made.replaced_at, made.files_current, made.rows)
        for made in month.current
    ] == [(2, "engine changed", 400, None, 1, 5), (3, "engine changed", 300, None, 1, 4)]


def test_a_revision_that_only_some_files_have_left_is_both_current_and_earlier(lake: Lake) -> None:
    m5, h1 = bars(), bars(interval=Interval.H1)
    publish(lake, m5, h1, content="a", rows=3)
    publish(lake, m5, content="bb", rows=4)
    (month,) = series_of(lake)[0].months
    assert [(made.revision, made.files_current, made.rows, made.size) for made in month.current] == [
        (1, 1, 3, 1),
        (2, 1, 4, 2),
    ]
    assert [(made.revision, made.files, made.replaced_at is None) for made in month.earlier] == [(1, 2, False)]


def test_a_month_computed_anew_with_the_same_result_keeps_its_time_of_publication(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((100, 200, 300))
    monkeypatch.setattr("aperiodic.lake.lake.now_us", lambda: next(times))
    for engine in ("old", "new", "newer"):
        publish(lake, bars(), fingerprint=engine, reason=f"{engine} engine")
    (month,) = series_of(lake)[0].months
    (made,) = month.current
    assert (made.revision, made.published_at, made.replaced_at, made.reason, made.files, made.rows) == (
        *(1, 100, None, "old engine", 1),
        10,
    )
    assert month.earlier == ()


def test_symbols_come_in_pages(lake: Lake) -> None:
    symbols = [replace(BTC, base=base) for base in ("ADA", "BTC", "ETH", "SOL")]
    publish(lake, *(bars(month=month, symbol=symbol) for symbol in symbols for month in (APRIL, MAY)))
    add_ticks(lake, Stream.TRADES, APRIL, symbol=replace(BTC, base="BNB"))
    with lake.engine.connect() as connection:
        assert symbols_after(connection, VENUE, "", 3) == [str(symbol) for symbol in symbols[:3]]
        assert symbols_after(connection, VENUE, str(symbols[2]), 3) == [str(symbols[3])]
        assert symbols_after(connection, VENUE, str(symbols[3]), 3) == []
        assert symbols_after(connection, Exchange.BINANCE, "", 3) == []
        assert symbols_after(connection, VENUE, "", 1) == [str(symbols[0])]


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2025-01", "2025-01", ["2025-01"]),
        ("2024-11", "2025-02", ["2024-11", "2024-12", "2025-01", "2025-02"]),
        ("2025-02", "2025-01", []),
    ],
)
def test_months_between_reach_over_the_turn_of_the_year(first: str, last: str, months: list[str]) -> None:
    assert months_between(first, last) == months


def test_tick_days_are_those_held_now(lake: Lake) -> None:
    add_ticks(lake, Stream.TRADES, date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 6), content="123")
    add_ticks(lake, Stream.TRADES, date(2025, 4, 2), content="12345")
    add_ticks(lake, Stream.QUOTES, APRIL, MAY, symbol=ETH)
    withdraw(lake, ObjectKey.ticks(Stream.QUOTES, VENUE, ETH, MAY))
    with lake.engine.connect() as connection:
        trades, quotes = read_tick_days(connection)
    assert (trades.exchange, trades.symbol, trades.stream) == ("okx-perps", str(BTC), "trades")
    assert (trades.first, trades.last, trades.days, trades.missing, trades.size) == (
        *(date(2025, 4, 1), date(2025, 4, 6)),
        *(3, 3, 11),
    )
    assert (quotes.symbol, quotes.first, quotes.last, quotes.days, quotes.missing) == (str(ETH), APRIL, APRIL, 1, 0)
    assert trades.sources == ("recording",)
