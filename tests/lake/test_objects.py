from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from tests.statements import trace_statements

from aperiodic.completeness.held_days import days_held
from aperiodic.lake import Lake, ObjectKey, ObjectKind, ObjectRecord
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.objects import (
    Series,
    find_object,
    latest_revision,
    objects_between,
    periods_written_since,
    read_periods,
    replace_object,
    retire_object,
)
from aperiodic.lake.schema import objects
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol

BTC, ETH = Symbol.parse("perpetual-BTC-USDT:USDT"), Symbol.parse("perpetual-ETH-USDT:USDT")
DAY = date(2025, 5, 9)


def ticks(day: date = DAY, symbol: Symbol = BTC, exchange: Exchange = Exchange.BINANCE_FUTURES) -> ObjectKey:
    return ObjectKey.ticks(Stream.TRADES, exchange, symbol, day)


def record(key: ObjectKey, revision: int = 1, **changes: object) -> ObjectRecord:
    made = ObjectRecord(
        key=key,
        path=key.path("0123456789abcdef" * 4),
        revision=revision,
        size=10,
        sha256="0123456789abcdef" * 4,
        rows=3,
        first_exchange=1,
        last_exchange=2,
        first_local=None,
        last_local=None,
        source=Source.RECORDING,
        fingerprint="f",
        reason="import",
        created_at=4,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def put(lake: Lake, *records: ObjectRecord) -> None:
    with begin_write(lake.engine) as connection:
        for item in records:
            replace_object(connection, item)


def test_an_object_reads_back_as_it_was_entered(lake: Lake) -> None:
    entered = record(ticks())
    put(lake, entered)
    assert lake.find(ticks()) == entered
    assert lake.find(ticks(date(2025, 5, 10))) is None


def test_a_new_revision_takes_the_place_of_the_old_whose_history_stays(lake: Lake) -> None:
    first, second = record(ticks()), record(ticks(), 2, path="other", sha256="b" * 64)
    put(lake, first)
    put(lake, second)
    assert lake.find(ticks()) == second
    assert lake.current(ObjectKind.TICKS) == [second]
    with lake.engine.connect() as connection:
        history = connection.execute(select(objects.c.revision, objects.c.is_current).order_by(objects.c.id)).all()
    assert [tuple(row) for row in history] == [(1, False), (2, True)]


def test_a_retired_object_is_gone_but_its_number_is_not_given_again(lake: Lake) -> None:
    put(lake, record(ticks()), record(ticks(), 2), record(ticks(symbol=ETH)))
    with begin_write(lake.engine) as connection:
        retire_object(connection, ticks(), 9)
        retire_object(connection, ticks(date(1999, 1, 1)), 9)
        assert find_object(connection, ticks()) is None
        assert latest_revision(connection, ticks()) == 2
        assert latest_revision(connection, ticks(symbol=ETH)) == 1
        assert latest_revision(connection, ticks(date(1999, 1, 1))) == 0
    assert [item.key.symbol for item in lake.current(ObjectKind.TICKS)] == [str(ETH)]


def test_a_key_cannot_have_two_current_revisions(lake: Lake) -> None:
    put(lake, record(ticks()))
    with begin_write(lake.engine) as connection:
        row = dict(connection.execute(select(objects)).mappings().one())
    row.pop("id")
    with pytest.raises(IntegrityError), begin_write(lake.engine) as connection:
        connection.execute(objects.insert().values(**row))


def test_current_objects_are_filtered_and_ordered_by_key(lake: Lake) -> None:
    keys = [
        ticks(day, symbol, exchange)
        for exchange in (Exchange.BINANCE_FUTURES, Exchange.OKX_PERPS)
        for symbol in (BTC, ETH)
        for day in (date(2025, 5, 2), date(2025, 5, 10))
    ]
    bars = ObjectKey.bars("flow", Clock.TRUE, Interval.H1, Exchange.OKX_PERPS, BTC, DAY)
    put(lake, *(record(key) for key in reversed(keys)), record(bars))
    assert [item.key for item in lake.current(ObjectKind.TICKS)] == keys
    assert [item.key for item in lake.current(ObjectKind.TICKS, symbol=None, exchange="okx-perps")] == keys[4:]
    assert [item.key for item in lake.current(ObjectKind.TICKS, symbol=str(ETH), exchange="okx-perps")] == keys[6:]
    days = lake.current(ObjectKind.TICKS, exchange="okx-perps", period=["2025-05-10", "1999-01-01"])
    assert [item.key for item in days] == [keys[5], keys[7]]
    assert lake.current(ObjectKind.TICKS, period=[]) == []
    assert [item.key for item in lake.current(ObjectKind.BARS, dataset="flow", clock="true")] == [bars]


def test_finding_current_objects_uses_the_partial_index(lake: Lake) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    event.listen(lake.engine, "before_cursor_execute", lambda *arguments: asked.append((arguments[2], arguments[3])))
    lake.find(ticks())
    lake.current(ObjectKind.TICKS, exchange="okx-perps", symbol=str(BTC))
    lake.current(ObjectKind.BARS)
    queries = [query for query in asked if query[0].startswith("SELECT")]
    assert len(queries) == 3
    with lake.engine.connect() as connection:
        for statement, parameters in queries:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any("SEARCH objects USING INDEX ix_objects_current" in step for step in plan), (statement, plan)


TRADES = Series(ObjectKind.TICKS, Stream.TRADES, Exchange.BINANCE_FUTURES, str(BTC))
DAYS = [f"2025-05-{day:02d}" for day in range(8, 12)]


def test_periods_of_a_series_are_those_of_that_series_alone(lake: Lake) -> None:
    wanted = [record(ticks(date(2025, 5, day))) for day in (8, 10, 11)]
    others = [record(ticks(DAY, ETH)), record(ticks(DAY, exchange=Exchange.OKX_PERPS)), record(ticks(date(2025, 5, 7)))]
    put(lake, *reversed(wanted), *others, record(replace(ticks(), dataset=Stream.QUOTES)))
    with lake.engine.connect() as connection:
        assert read_periods(connection, TRADES, DAYS) == wanted
        assert read_periods(connection, TRADES, DAYS, as_of=4) == wanted
        assert read_periods(connection, TRADES, DAYS[1:2]) == []


@pytest.mark.parametrize(
    ("moment", "revisions"), [(9, []), (10, [1]), (19, [1]), (20, [2]), (29, [2]), (30, []), (39, []), (40, [3])]
)
def test_at_any_moment_a_key_had_one_revision_or_none(lake: Lake, moment: int, revisions: list[int]) -> None:
    put(lake, record(ticks(), created_at=10), record(ticks(), 2, created_at=20))
    with begin_write(lake.engine) as connection:
        retire_object(connection, ticks(), 30)
    put(lake, record(ticks(), 3, created_at=40))
    with lake.engine.connect() as connection:
        assert [item.revision for item in read_periods(connection, TRADES, DAYS, as_of=moment)] == revisions
        assert [item.revision for item in read_periods(connection, TRADES, DAYS)] == [3]


def test_what_was_written_since_a_moment_and_since_when_it_was_there(lake: Lake) -> None:
    put(lake, record(ticks(date(2025, 5, 8)), created_at=10), record(ticks(), created_at=10))
    put(lake, record(ticks(), 2, created_at=20), record(ticks(date(2025, 5, 10)), created_at=30))
    with lake.engine.connect() as connection:
        written = periods_written_since(connection, TRADES, DAYS[0], DAYS[-1], 10)
    assert written == {"2025-05-09": (10, 20), "2025-05-10": (30, 30)}


def test_reading_periods_seeks_every_key_column_in_an_index(lake: Lake) -> None:
    asked = trace_statements(lake.engine)
    with lake.engine.connect() as connection:
        read_periods(connection, TRADES, DAYS)
        read_periods(connection, TRADES, DAYS, as_of=5)
        days_held(
            connection, Exchange.BINANCE_FUTURES, [str(BTC)], [Stream.TRADES], date(2025, 5, 1), date(2025, 5, 31)
        )
        queries = [statement for statement in asked if statement.startswith("SELECT")]
        plans = [
            " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
            for statement in queries
        ]
    every = "kind=? AND exchange=? AND symbol=? AND dataset=? AND clock=? AND interval=? AND period>? AND period<?"
    assert f"ix_objects_current ({every})" in plans[0]
    assert f"ix_objects_current ({every})" in plans[2]
    assert f"ix_objects_current ({every})" in plans[3]
    # For each day of parts whether it is whole.
    assert f"ix_objects_current ({every.removesuffix('>? AND period<?')}=?)" in plans[3]
    assert "ix_objects_history (symbol=? AND period=? AND dataset=? AND exchange=? AND kind=?" in plans[1]


SEGMENTS = {
    ticks(): "ticks/trades/exchange=binance-futures/symbol=perpetual-BTC-USDT:USDT/year=2025/month=05/day=09/",
    ObjectKey.day_bars(Stream.TRADES, Exchange.BINANCE, Symbol.parse("spot-BTC-USDT"), DAY): (
        "day_bars/trades/exchange=binance/symbol=spot-BTC-USDT/year=2025/month=05/day=09/"
    ),
    ObjectKey.bars("flow", Clock.EXCHANGE, Interval.M15, Exchange.OKX_PERPS, ETH, DAY): (
        "bars/flow/timestamp=exchange/interval=15m/exchange=okx-perps/symbol=perpetual-ETH-USDT:USDT/year=2025/month=05/"
    ),
    ObjectKey.book_state(Exchange.BINANCE_FUTURES, BTC, 4_211): (
        "book_state/book/exchange=binance-futures/symbol=perpetual-BTC-USDT:USDT/00000000000000004211/"
    ),
    ObjectKey.quarantine(Exchange.BINANCE, "c" * 64): f"quarantine/exchange=binance/{'c' * 64}/",
}


@pytest.mark.parametrize("key", SEGMENTS, ids=lambda key: key.kind)
def test_a_path_is_its_key_and_the_beginning_of_its_digest(key: ObjectKey) -> None:
    assert key.path("0123456789abcdef" + "f" * 48) == f"{SEGMENTS[key]}data-0123456789abcdef.parquet"


def test_some_days_of_an_instrument_are_read_without_the_others(lake: Lake) -> None:
    days = [date(2025, 5, day) for day in (8, 9, 10, 11)]
    put(lake, *(record(ticks(day)) for day in reversed(days)), record(ticks(symbol=ETH)))
    quotes = replace(ticks(), dataset="quotes")
    put(lake, record(quotes))
    with lake.engine.connect() as connection:
        asked = ObjectKind.TICKS, Exchange.BINANCE_FUTURES, str(BTC)
        found = objects_between(connection, *asked, ["trades", "quotes"], "2025-05-09", "2025-05-10")
    assert [each.key for each in found] == [quotes, ticks(), ticks(date(2025, 5, 10))]
