"""What was missed is told from the files of open days and months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.engine.open_days.test_open_days import BEGIN, MINUTE, SECOND, Clockwork, append, rows
from tests.lakes import BTC, VENUE

from aperiodic.engine.build import build
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.server.stream import replay
from aperiodic.server.stream.channels import Channel

if TYPE_CHECKING:
    from aperiodic.lake import Lake

SERIES = ("ohlcv", VENUE, "1m", "exchange")


@pytest.fixture
def held(lake: Lake) -> Lake:
    """Two minutes of the day before in a month, and four of the open day in a file of its own."""
    append(lake, rows(-120, 0))
    build(lake)
    append(lake, rows(0, 300))
    OpenDayBuilder(lake, Clockwork(BEGIN + 300 * SECOND)).round()
    return lake


def times(lake: Lake, since: int, *symbols: str) -> list[int]:
    channel = Channel("ohlcv.binance-futures.1m", SERIES, frozenset(symbols) or None)
    found = replay.missed_rows(lake, channel, since)
    for row in found:
        told = msgspec.json.decode(row.data)
        assert (told["symbol"], told["time"], row.time) == (str(BTC), row.time, told["time"])
        assert told["close"] > 0
    return [(row.time - BEGIN) // MINUTE for row in found]


def test_rows_of_months_and_open_days_come_in_order_of_time(held: Lake) -> None:
    assert times(held, BEGIN - 2 * MINUTE) == [-2, -1, 0, 1, 2, 3]
    assert times(held, BEGIN + 2 * MINUTE, str(BTC)) == [2, 3]
    assert times(held, BEGIN + 9 * MINUTE) == []
    assert times(held, 0, "perpetual-ETH-USDT:USDT") == []


@pytest.mark.parametrize("most", [1, 3, 5])
def test_the_newest_are_told_where_there_are_too_many(held: Lake, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(replay, "MOST_ROWS", most)
    assert times(held, 0) == [-2, -1, 0, 1, 2, 3][-most:]
