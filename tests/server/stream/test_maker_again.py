"""What a server tells when the maker of rows, or the server itself, has begun again."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.lakes import VENUE
from tests.server.stream.rows import BTC, ETH, MINUTE, row

from aperiodic.engine.live import LiveHub
from aperiodic.market.time import now_us
from aperiodic.server.stream import fanout
from aperiodic.server.stream.channels import Channel
from aperiodic.server.stream.fanout import Fanout

if TYPE_CHECKING:
    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake

FIRST = 0
CHANNEL = Channel("c", ("ohlcv", VENUE, "1m", "exchange"), None)


class Reader:
    """Keeps what a connection would send."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def send(self, frames: bytes) -> None:
        decoder, text = json.JSONDecoder(), frames.decode("latin-1")
        while (place := text.find('{"channel"')) >= 0:
            message, end = decoder.raw_decode(text[place:])
            self.rows.append(message["data"])
            text = text[place + end :]

    def lose(self) -> None:
        raise AssertionError

    def told(self) -> list[tuple[int, int, float]]:
        found = [((each["time"] - FIRST) // MINUTE, each["revision"], each["close"]) for each in self.rows]
        self.rows.clear()
        return found


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bar is the one of now, not of when the tests were collected."""
    monkeypatch.setattr(f"{__name__}.FIRST", now_us() // MINUTE * MINUTE)


def bar(number: int, close: float, revision: int = 0, symbol: str = BTC) -> LiveRow:
    made = row(number, symbol, first=FIRST, revision=revision)
    data = msgspec.json.decode(made.data) | {"close": close}
    return msgspec.structs.replace(made, data=msgspec.json.encode(data))


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def rows_to(lake: Lake, reader: Reader) -> Fanout:
    made = Fanout(lake)
    made.enter(reader, CHANNEL)
    return made


def test_what_a_new_maker_knows_otherwise_is_a_correction(rows_to: Fanout, reader: Reader) -> None:
    rows_to.deliver([bar(0, 1.0), bar(1, 2.0), bar(2, 3.0)])
    assert reader.told() == [(0, 0, 1.0), (1, 0, 2.0), (2, 0, 3.0)]
    rows_to.deliver([bar(0, 1.0), bar(1, 2.5), bar(2, 3.0), bar(3, 4.0)])
    assert reader.told() == [(1, 1, 2.5), (3, 0, 4.0)]
    rows_to.deliver([bar(1, 2.5), bar(1, 2.5, 1)])
    assert reader.told() == []
    rows_to.deliver([bar(1, 2.75, 1)])  # the new one counts from the beginning
    assert reader.told() == [(1, 2, 2.75)]
    rows_to.deliver([bar(1, 2.75)])
    assert reader.told() == []


def test_a_bar_that_the_maker_before_did_not_have_is_told(rows_to: Fanout, reader: Reader) -> None:
    rows_to.deliver([bar(0, 1.0), bar(2, 3.0)])
    reader.told()
    rows_to.deliver([bar(-5, 0.5), bar(0, 1.0), bar(1, 2.0), bar(2, 3.0)])
    assert reader.told() == [(1, 1, 2.0)], "what is older than all that is remembered is in files"


def test_who_was_away_gets_the_corrections_of_meanwhile(rows_to: Fanout) -> None:
    rows_to.deliver([bar(-3, 1.0), bar(-2, 2.0), bar(-1, 3.0, symbol=ETH)])
    lost = now_us()
    rows_to.deliver([bar(-3, 1.5, 1), bar(-1, 4.0)])
    kept = [((each.time - FIRST) // MINUTE, each.revision) for each in rows_to.kept(CHANNEL, lost)]
    assert kept == [(-3, 1)]
    assert [each.time for each in rows_to.kept(CHANNEL, FIRST - MINUTE)][-1] == FIRST - MINUTE


async def test_who_asks_a_new_server_gets_what_was_told_before_it(lake: Lake) -> None:
    with LiveHub(lake.home) as hub:
        hub.tell([bar(0, 1.0), bar(1, 2.0)])
        rows_to = Fanout(lake)
        rows_to.start()
        await rows_to.settle()
        assert [each.time for each in rows_to.kept(CHANNEL, FIRST)] == [FIRST, FIRST + MINUTE]
        rows_to.stop()


async def test_where_nobody_makes_rows_nothing_is_waited_for(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "_SETTLES_S", 3_600.0)
    async with asyncio.timeout(60.0):
        await Fanout(lake).settle()
