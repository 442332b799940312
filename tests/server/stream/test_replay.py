"""What was missed is told from the files of open days and months."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.engine.open_days.test_open_days import BEGIN, MINUTE, SECOND, Clockwork, append, rows
from tests.lakes import BTC, VENUE
from tests.server.stream.rows import row

from aperiodic.engine.build import build
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.server.middleware.prometheus import Monitoring
from aperiodic.server.stream import fanout, replay
from aperiodic.server.stream.channels import Channel
from aperiodic.server.stream.fanout import Fanout

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
    for each in found:
        told = msgspec.json.decode(each.data)
        assert (told["symbol"], told["time"], each.time) == (str(BTC), each.time, told["time"])
        assert told["close"] > 0
    return [(each.time - BEGIN) // MINUTE for each in found]


def test_rows_of_months_and_open_days_come_in_order_of_time(held: Lake) -> None:
    assert times(held, BEGIN - 2 * MINUTE) == [-2, -1, 0, 1, 2, 3]
    assert times(held, BEGIN + 2 * MINUTE, str(BTC)) == [2, 3]
    assert times(held, BEGIN + 9 * MINUTE) == []
    assert times(held, 0, "perpetual-ETH-USDT:USDT") == []


@pytest.mark.parametrize("most", [1, 3, 5])
def test_the_newest_are_told_where_there_are_too_many(held: Lake, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(replay, "MOST_ROWS", most)
    assert times(held, 0) == [-2, -1, 0, 1, 2, 3][-most:]


class Reader:
    """Keeps what a connection would send."""

    def __init__(self) -> None:
        self.minutes: list[int] = []
        self.lost = False

    def send(self, frames: bytes) -> None:
        self.minutes += [(int(time) - BEGIN) // MINUTE for time in re.findall(rb'"time":([0-9]+)', frames)]

    def lose(self) -> None:
        self.lost = True


async def told(lake: Lake, *batches: tuple[list[int], bool]) -> Reader:
    """Return a reader to whom rows of minutes were told, before which others were missed or not."""
    reader, rows_to = Reader(), Fanout(lake, Monitoring(lambda: 0))
    rows_to.enter(reader, Channel("ohlcv.binance-futures.1m", SERIES, None))
    for minutes, missed in batches:
        rows_to.deliver([row(minute, str(BTC), first=BEGIN) for minute in minutes], missed=missed)
    for _ in range(500):
        if reader.lost or 6 in reader.minutes:
            break
        await asyncio.sleep(0.02)
    return reader


def test_who_stays_connected_gets_from_files_what_was_missed(held: Lake) -> None:
    reader = asyncio.run(told(held, ([0], False), ([5], True), ([6], False)))
    assert (reader.minutes, reader.lost) == ([0, 1, 2, 3, 5, 6], False)


def test_who_cannot_be_told_what_was_missed_is_let_go(held: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "MOST_ROWS", 2)
    assert asyncio.run(told(held, ([0], False), ([6], True))).lost
