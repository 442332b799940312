"""The ticks around some days are found by index, and whatever strays is among them."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.lakes import BTC
from tests.statements import trace_statements

from aperiodic.engine.plan import Selection, plan_days
from aperiodic.lake import Lake, ObjectKey, ObjectRecord
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.objects import replace_object, retire_object
from aperiodic.lake.tick_files import TickFile, ticks_around
from aperiodic.market import DAY_US, Exchange, Source, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterable

VENUE = Exchange.BINANCE_FUTURES
HOUR_US = 3_600_000_000
FIRST = date(2025, 1, 1)
DAYS = 150


def ticks(stream: Stream, day: date, arrived: tuple[int, int] | None) -> ObjectRecord:
    """A day of ticks; `arrived`: first and last arrival, µs after the day's begin."""
    begin = day_start_us(day)
    local = (None, None) if arrived is None else (begin + arrived[0], begin + arrived[1])
    key = ObjectKey.ticks(stream, VENUE, BTC, day)
    return ObjectRecord(
        key=key,
        path=key.path("0123456789abcdef" * 4),
        revision=1,
        size=10,
        sha256=f"{day}{stream}",
        rows=3,
        first_exchange=begin + HOUR_US,
        last_exchange=begin + DAY_US - HOUR_US,
        first_local=local[0],
        last_local=local[1],
        source=Source.RECORDING,
        fingerprint="f",
        reason="import",
        created_at=4,
    )


def put(lake: Lake, records: Iterable[ObjectRecord]) -> None:
    with begin_write(lake.engine) as connection:
        for record in records:
            replace_object(connection, record)


def some_ticks(seed: int) -> list[ObjectRecord]:
    """Days with holes, files without arrivals, and arrivals up to forty days from where they belong."""
    made = random.Random(seed)  # noqa: S311 - made-up delays
    records = []
    for stream in (Stream.TRADES, Stream.QUOTES, Stream.FUNDING_RATE, Stream.MARK_PRICE):
        often = 0.1 if stream is Stream.FUNDING_RATE else 0.7
        for day in (FIRST + timedelta(days=number) for number in range(DAYS)):
            if made.random() > often:
                continue
            reach = made.choice([1, 1, 1, 23, 26, 24 * 40])
            arrived = sorted(made.randint(-reach, reach + 24) * HOUR_US for _ in range(2))
            records.append(ticks(stream, day, None if made.random() < 0.2 else (arrived[0], arrived[1])))
    return records


@pytest.mark.parametrize("seed", range(12))
def test_a_selection_is_planned_as_it_is_with_all_ticks_read(lake: Lake, seed: int) -> None:
    put(lake, some_ticks(seed))
    everything = plan_days(lake, VENUE, BTC, Selection()).tasks
    seen = 0
    for start, end in (
        (date(2025, 3, 31), date(2025, 3, 31)),
        (date(2025, 1, 1), date(2025, 1, 2)),
        (None, date(2025, 2, 3)),
        (date(2025, 4, 30), None),
        (date(2025, 1, 31), date(2025, 5, 1)),
    ):
        selection = Selection(start=start, end=end)
        tasks = plan_days(lake, VENUE, BTC, selection).tasks
        assert tasks == [(task, size) for task, size in everything if selection.holds(task.day)]
        seen += len(tasks)
    assert seen > 300


def test_what_strayed_and_gave_way_is_not_found(lake: Lake) -> None:
    late = ticks(Stream.TRADES, FIRST, (HOUR_US, 60 * DAY_US))
    put(lake, [late])
    later = FIRST + timedelta(days=40)
    with begin_write(lake.engine) as connection:
        assert [
            TickFile._make(row).path for row in ticks_around(connection, VENUE, [str(BTC)], later, later)[str(BTC)]
        ] == [late.path]
        retire_object(connection, late.key, 9)
        assert ticks_around(connection, VENUE, [str(BTC)], later, later) == {}


def test_no_more_is_read_of_a_long_history_than_of_a_short_one(lake: Lake) -> None:
    day = FIRST + timedelta(days=DAYS - 1)
    put(lake, (ticks(Stream.TRADES, FIRST + timedelta(days=number), (0, DAY_US - 1)) for number in range(DAYS)))
    put(lake, (ticks(Stream.FUNDING_RATE, FIRST + timedelta(days=number), (0, DAY_US)) for number in range(DAYS - 9)))
    asked = trace_statements(lake.engine)
    with lake.engine.connect() as connection:
        asked_for = [str(BTC), "perpetual-ETH-USDT:USDT"], day, day, [Stream.TRADES, Stream.FUNDING_RATE]
        (found,) = ticks_around(connection, VENUE, *asked_for).values()
        plans = [
            " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
            for statement in list(asked)
            if statement.startswith("SELECT")
        ]
    # The day and two before it; of what is looked back on and not among these, three more.
    assert [TickFile._make(row).stream for row in found] == ["funding_rate"] * 3 + ["trades"] * 3
    near = "kind=? AND exchange=? AND symbol=? AND dataset=? AND clock=? AND interval=? AND period"
    around, stray, _older, before = plans
    assert f"ix_objects_current ({near}>? AND period<?)" in around
    assert "ix_objects_stray (exchange=? AND symbol=? AND kind=?)" in stray
    assert before.count(f"ix_objects_current ({near}<?)") == 2
    assert not any("TEMP B-TREE" in plan for plan in plans)
