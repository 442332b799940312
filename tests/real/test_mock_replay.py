"""Recordings told again by the mock exchange, and read back by a client, give the ticks of the recordings."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.mock.market import FUTURES, HYPERLIQUID, OKX, Client
from tests.venues.test_binance_mapper import Collected

from aperiodic.engine.importing.files import Lines, SourceFile
from aperiodic.engine.importing.lines import read_line
from aperiodic.mock import MockExchange, MockSettings, RecordedSource
from aperiodic.venues import Instruments, RejectedFrameError, venue_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aperiodic.market import Exchange

SETS = {
    "A": (FUTURES, ["binance-usdm/ws_raw/btcusdt_20230404.dat.gz"], 20.0),
    "C": (
        FUTURES,
        [f"binance-usdm/ws_raw_cryptofeed/BINANCE_FUTURES.{part}" for part in ("0", "http.0.0", "ws.1.0")],
        10.0,
    ),
    "D": (OKX, ["okx/ws_raw_20220513/OKX.0", "okx/ws_raw_20220513/OKX.ws.1.0"], 10.0),
    "E": (HYPERLIQUID, ["hyperliquid/ws_raw/btcusd_20250126.gz"], 20.0),
}


class Reader:
    """Reads frames into ticks without their arrival times."""

    def __init__(self, exchange: Exchange, listings: Sequence[tuple[str, bytes]]) -> None:
        self.venue = venue_of(exchange)
        # An answer that names no instrument is of the one whose changes are recorded.
        self.sink = Collected("BTCUSDT")
        instruments = Instruments()
        for url, body in listings:
            instruments.update(self.venue.instruments(self.venue.response_frame(url, body) or body) or Instruments())
        self.mapper = self.venue.mapper(self.sink, instruments, recorded_before=lambda _symbol, _local: True)
        self.local = 1_600_000_000_000_000

    def frame(self, frame: bytes) -> None:
        self.local += 1
        with suppress(RejectedFrameError):
            self.mapper.read(self.local, frame)

    def answer(self, url: str, body: bytes) -> None:
        frame = self.venue.response_frame(url, body)
        if frame is not None:
            self.frame(frame)

    def ticks(self) -> Counter[tuple[str, str, tuple[Any, ...]]]:
        modelled = self.venue.modelled
        return Counter(
            (str(stream), str(symbol), row[2:] if stream in modelled else (row[0], *row[2:]))
            for stream, symbol, row in self.sink.ticks
        )


def imported(exchange: Exchange, paths: Sequence[Path]) -> tuple[Reader, list[tuple[str, bytes]]]:
    """Read the recordings directly, in the order of their arrival times."""
    lines, listings = [], []
    for path in paths:
        for _, batch in Lines(SourceFile.look_at(path)):
            for line in batch:
                with suppress(RejectedFrameError):
                    read = read_line(line)
                    if "exchangeInfo" in read.url or "instruments" in read.url:
                        listings.append((read.url, read.frame))
                    elif read.frame:
                        lines.append((read.local or 0, read.url, read.frame))
    reader = Reader(exchange, listings)
    for _, url, frame in sorted(lines, key=lambda line: line[0]):
        if url:
            reader.answer(url, frame)
        else:
            reader.frame(frame)
    return reader, listings


async def follow(client: Client, reader: Reader, streams: Sequence[str], snapshots: Sequence[str]) -> None:
    """Subscribe to everything, ask for snapshots after the first frame of a book, and read all that comes."""
    asked: set[str] = set()
    tasks = []

    async def ask(native: str) -> None:
        path = f"/fapi/v1/depth?symbol={native}&limit=1000"
        answer = await client.ask(path)
        assert answer.status_code == 200
        reader.answer(f"https://x{path}", answer.content)

    async def listen(host: str, messages: Sequence[str]) -> None:
        path = "/stream" if reader.venue.exchange is FUTURES else ""
        async with client.socket(host, path) as socket:
            for message in messages:
                await socket.send(message)
            while True:
                frame = str(await socket.recv()).encode()
                reader.frame(frame)
                for native in snapshots:
                    if native not in asked and f"{native.lower()}@depth".encode() in frame:
                        asked.add(native)
                        tasks.append(asyncio.create_task(ask(native)))

    sockets = [asyncio.create_task(listen(*each)) for each in subscriptions(reader.venue.exchange, streams)]
    await client.mock.finished()
    await asyncio.sleep(0.3)
    for task in sockets:
        task.cancel()
    results = await asyncio.gather(*sockets, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await asyncio.gather(*tasks)


def subscriptions(exchange: Exchange, streams: Sequence[str]) -> list[tuple[str, list[str]]]:
    if exchange is FUTURES:
        market = [name for name in streams if "aggTrade" in name or "kline" in name or "mark" in name]
        public = [name for name in streams if name not in market]
        return [
            (host, [json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})])
            for host, names in (("public", public), ("market", market))
            if names
        ]
    pairs = [name.split(":") for name in streams]
    if exchange is OKX:
        args = [{"channel": channel, "instId": instrument} for channel, instrument in pairs]
        return [("public", [json.dumps({"op": "subscribe", "args": args})])]
    wanted = [{"type": kind, "coin": coin} for kind, coin in pairs]
    return [("ws", [json.dumps({"method": "subscribe", "subscription": each}) for each in wanted])]


@pytest.mark.parametrize("name", SETS)
async def test_a_recording_told_again_gives_the_same_ticks(real_data: Path, name: str) -> None:
    exchange, files, speed = SETS[name]
    paths = [real_data / file for file in files]
    expected, listings = imported(exchange, paths)
    source = RecordedSource(exchange, paths, speed=speed)
    async with MockExchange([source], MockSettings(settle_s=0.2, remember=True)) as mock:
        streams = sorted(source.streams())
        snapshots = sorted(source.natives()) if exchange is FUTURES else []
        reader = Reader(exchange, listings)
        await follow(Client(mock, exchange), reader, streams, snapshots)
    got, wanted = reader.ticks(), expected.ticks()
    assert wanted.total() > 50
    # The recorder of A had its snapshot before the first change of the book; who asks after it has the second first.
    lacking = [tick[0] for tick in (wanted - got).elements()]
    assert lacking == (["book"] if name == "A" else [])
    assert list((got - wanted).elements()) == []
    assert not [line for line in mock.truth.lines if line["what"] in {"missed", "withheld"}]
