from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import pytest

from aperiodic.completeness.held_days import HeldDays, days_held, each_day_held
from aperiodic.lake import Lake, NewObject, ObjectKey, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
VENUE = Exchange.BINANCE_FUTURES
SERIES = (str(BTC), "trades")


@pytest.fixture(params=["sqlite", "postgresql"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lake]:
    ledger = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    with closing(Lake.open(Settings(home=tmp_path, ledger=ledger))) as opened:
        yield opened


def add(lake: Lake, *periods: str, source: Source = Source.RECORDING) -> None:
    batch = lake.batch()
    for period in periods:
        kind = ObjectKind.TICKS if len(period) == len("2025-05-01") else ObjectKind.TICK_PARTS
        key = ObjectKey(kind, "trades", VENUE, str(BTC), "", "", period)
        batch.put(NewObject(key=key, rows=1, source=source, fingerprint=period, reason="test"), period.encode())
    batch.commit()


def held(lake: Lake, clock: Clock = Clock.EXCHANGE, first: date = date.min, last: date = date.max) -> HeldDays | None:
    asked = VENUE, [str(BTC)], [Stream.TRADES], first, last, clock
    with lake.engine.connect() as connection:
        found = days_held(connection, *asked).get(SERIES)
        days = each_day_held(connection, *asked).get(SERIES, set())
    # One tells what the other does in short.
    assert found == (HeldDays(min(days), max(days), len(days)) if days else None)
    return found


def test_a_day_with_parts_counts_once_whether_it_is_whole_as_well_or_not(lake: Lake) -> None:
    assert held(lake) is None
    add(lake, "2025-05-02", "2025-05-03")
    add(lake, "2025-05-03-000001", "2025-05-03-000002", "2025-05-05-000001", "2025-05-05-000002", "2025-05-01-000001")
    assert held(lake) == HeldDays(date(2025, 5, 1), date(2025, 5, 5), 4)
    within = held(lake, first=date(2025, 5, 3), last=date(2025, 5, 5))
    assert within == HeldDays(date(2025, 5, 3), date(2025, 5, 5), 2)
    assert held(lake, first=date(2025, 5, 4), last=date(2025, 5, 4)) is None


def test_days_in_parts_alone_are_held(lake: Lake) -> None:
    add(lake, "2025-05-03-000001", "2025-05-04-000001")
    assert held(lake) == HeldDays(date(2025, 5, 3), date(2025, 5, 4), 2)


def test_a_day_of_an_archive_is_not_held_by_arrival_but_parts_of_it_that_were_recorded_are(lake: Lake) -> None:
    add(lake, "2025-05-01", "2025-05-02", "2025-05-03", source=Source.ARCHIVE)
    assert held(lake, Clock.TRUE) is None
    add(lake, "2025-05-02-000001")
    assert held(lake, Clock.TRUE) == HeldDays(date(2025, 5, 2), date(2025, 5, 2), 1)
    assert held(lake) == HeldDays(date(2025, 5, 1), date(2025, 5, 3), 3)
