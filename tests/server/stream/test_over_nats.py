"""Servers that get live rows over NATS tell every reader each of them once, in order, whatever begins again."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from tests.engine.live.test_hub import until
from tests.engine.live.test_nats_hub import making
from tests.nats import NatsServer, nats_server
from tests.server.stream.rows import BTC, ETH, MINUTE, T, row
from tests.server.stream.talking import ask, opened, received
from tests.servers import Api, serving
from websockets.exceptions import ConnectionClosed

from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from aperiodic.engine.live import LiveRow

CHANNELS = ["ohlcv.binance-futures.1m"]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as running:
        yield running


def settings_of(nats: NatsServer, home: Path) -> ServerSettings:
    return ServerSettings(home=home, live_hub=nats.settings.live_hub)


class Listener:
    """Reads a connection in a thread of its own."""

    def __init__(self, client: ClientConnection) -> None:
        self.rows: list[dict[str, Any]] = []
        self._client = client
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def of(self, symbol: str) -> list[int]:
        return [(each["time"] - T) // MINUTE for each in self.rows if each["symbol"] == symbol]

    def _read(self) -> None:
        try:
            for text in self._client:
                message = msgspec.json.decode(text)
                if "data" in message:
                    self.rows.append(message["data"])
        except ConnectionClosed:
            pass

    def end(self) -> None:
        self._client.close()
        self._thread.join()


@contextmanager
def listening(api: Api, since: int | None = None) -> Iterator[Listener]:
    with opened(api) as client:
        message = {"op": "subscribe", "id": "s", "channels": CHANNELS}
        client.send(msgspec.json.encode(message if since is None else message | {"since": since}).decode())
        answer = received(client)
        assert answer["op"] == "subscribed"
        assert answer.get("replayed", True)
        listener = Listener(client)
        try:
            yield listener
        finally:
            listener.end()


def test_every_reader_gets_every_row_once_while_nats_and_servers_begin_again(nats: NatsServer, tmp_path: Path) -> None:
    settings = settings_of(nats, tmp_path / "home")
    with serving(settings) as first, making(nats.settings) as hub, listening(first) as early, ExitStack() as others:
        until(lambda: hub.readers == 1)
        second = others.enter_context(serving(settings))
        until(lambda: hub.readers == 2)
        other = others.enter_context(listening(second))
        for number in range(10):
            hub.tell([row(number), row(number, ETH)])
        until(lambda: len(early.rows) == len(other.rows) == 20)
        nats.kill()
        for number in range(10, 20):
            hub.tell([row(number), row(number, ETH)])
        nats.start()
        until(lambda: len(early.rows) == len(other.rows) == 40)
        others.close()  # the second server ends
        for number in range(20, 30):
            hub.tell([row(number), row(number, ETH)])
        with serving(settings) as again, listening(again, T) as late:
            until(lambda: len(late.rows) == 60)
            hub.tell([row(30), row(30, ETH)])
            until(lambda: len(late.rows) == 62 and len(early.rows) == 62)
            for symbol in (BTC, ETH):
                assert late.of(symbol) == early.of(symbol) == list(range(31))


def test_rows_that_are_delivered_twice_and_late_are_told_once(nats: NatsServer, tmp_path: Path) -> None:
    from aperiodic.engine.live.nats_server import Names, Told, connected, encode  # noqa: PLC0415 - an extra

    subject = Names(nats.settings).of(("ohlcv", "binance-futures", "1m", "exchange"))
    made: list[LiveRow] = []

    async def publish(numbers: list[int]) -> None:
        async with connected(nats.settings, "test") as connection:
            for number in numbers:
                await connection.jetstream.publish(subject, encode(Told("m", number + 1, [made[number]])))

    with serving(settings_of(nats, tmp_path / "home")) as api, listening(api) as listener:
        with making(nats.settings) as hub:
            until(lambda: hub.readers == 1)
            made += row(0), row(1), row(1, revision=1), row(2)
            made[2] = msgspec.structs.replace(made[2], data=made[2].data.replace(b"101.5", b"99.5"))
            asyncio.run(publish([0, 1, 0, 2, 1, 0, 2, 1, 3, 1]))
        until(lambda: listener.of(BTC)[-1:] == [2])
        told = [((each["time"] - T) // MINUTE, each["revision"], each["close"]) for each in listener.rows]
        assert told == [(0, 0, 100.5), (1, 0, 101.5), (1, 1, 99.5), (2, 0, 102.5)]


def test_a_server_without_nats_serves_and_says_what_is_away(nats: NatsServer, tmp_path: Path) -> None:
    def metrics(api: Api) -> str:
        return httpx.get(api.url.removesuffix("/api/v1") + "/metrics").text

    def ready(api: Api) -> Any:
        answer = httpx.get(api.url.removesuffix("/api/v1") + "/readyz")
        assert answer.status_code == 200
        return answer.json()

    with serving(settings_of(nats, tmp_path / "home")) as api:
        until(lambda: "aperiodic_live_hub_up 1.0" in metrics(api))
        assert ready(api) == {"status": "ok"}
        nats.kill()
        until(lambda: "aperiodic_live_hub_up 0.0" in metrics(api))
        assert ready(api) == {"status": "ok", "troubles": ["No live rows come: NATS does not answer."]}
        with opened(api) as client:
            answer = ask(client, op="subscribe", id="s", channels=CHANNELS, since=T)
            assert answer["replayed"] is True
        assert httpx.get(f"{api.url}/metadata/catalog").status_code == 200
        nats.start()
        until(lambda: "aperiodic_live_hub_up 1.0" in metrics(api))
