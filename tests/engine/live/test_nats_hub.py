"""Over NATS rows reach every reader once and in order, whatever ends, begins again or comes twice."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from tests.engine.live.test_hub import SECONDS, row, until
from tests.nats import NatsServer, nats_server

from aperiodic.cli.doctor import doctor
from aperiodic.engine.live import LiveRow, open_hub, open_source
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.lake.settings import HubSettings
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.engine.live import Seconds
    from aperiodic.engine.live.nats_hub import NatsHub
    from aperiodic.engine.live.nats_source import NatsSource


SERIES = ("ohlcv", "binance-futures", "1m", "exchange")


class Reader:
    """A reader in a thread of its own, which keeps what it was given."""

    def __init__(self, settings: HubSettings, *, seconds: Seconds = frozenset()) -> None:
        self.source: NatsSource = open_source("", settings)  # type: ignore[assignment, arg-type]
        self.rows: list[LiveRow] = []
        self.missed: list[bool] = []
        self.going = threading.Event()
        self.going.set()
        self.up_to_date = threading.Event()
        self._over = threading.Event()
        arguments = (self._receive, self._over.is_set, self._over.wait, lambda: seconds, self.up_to_date.set)
        self._thread = threading.Thread(target=self.source.follow, args=arguments)
        self._thread.start()

    @property
    def times(self) -> list[int]:
        return [each.time for each in self.rows]

    def _receive(self, rows: list[LiveRow], missed: bool) -> None:
        self.going.wait()
        self.rows += rows
        self.missed.append(missed)

    def has(self, count: int) -> bool:
        return len(self.rows) >= count

    def end(self) -> None:
        self.going.set()
        self._over.set()
        self._thread.join()


@contextmanager
def reading(settings: HubSettings, *, seconds: Seconds = frozenset()) -> Iterator[Reader]:
    reader = Reader(settings, seconds=seconds)
    try:
        assert reader.up_to_date.wait(30)
        yield reader
    finally:
        reader.end()


@contextmanager
def making(settings: HubSettings) -> Iterator[NatsHub]:
    hub: NatsHub = open_hub("", settings)  # type: ignore[assignment, arg-type]
    with closing(hub):
        until(lambda: hub.trouble is None)
        yield hub


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path) as running:
        yield running


def test_rows_come_to_readers_that_were_there_before_and_come_later(server: NatsServer) -> None:
    with reading(server.settings) as early, making(server.settings) as hub:
        until(lambda: hub.readers == 1)
        hub.tell([row(1), row(2)])
        until(lambda: early.times == [1, 2])
        with reading(server.settings) as later:
            assert later.times == [1, 2], "those of the open day come again"
            hub.tell([row(3)])
            until(lambda: early.times == later.times == [1, 2, 3])
            until(lambda: hub.readers == 2)
        assert early.missed == [True, False], "its maker is new"
        assert later.missed == [False, False]


def test_a_server_that_is_killed_loses_no_row_and_tells_none_twice(server: NatsServer) -> None:
    with reading(server.settings) as reader, making(server.settings) as hub:
        number = 0
        for _ in range(2):
            for _ in range(50):
                number += 1
                hub.tell([row(number)])
            server.kill()
            for _ in range(50):
                number += 1
                hub.tell([row(number)])
            until(lambda: hub.trouble is not None and reader.source.trouble is not None)
            assert "NATS" in (hub.trouble or ""), "its words say what is away"
            server.start()
            until(partial(reader.has, number))
        assert reader.times == list(range(1, number + 1))
        assert not any(reader.missed[1:])
        until(lambda: reader.source.trouble is None and hub.trouble is None)


def test_a_server_that_has_lost_everything_gets_the_stream_anew(server: NatsServer) -> None:
    with reading(server.settings) as reader, making(server.settings) as hub:
        hub.tell([row(1)])
        until(lambda: reader.times == [1])
        server.kill()
        server.lose_everything()
        hub.tell([row(2)])
        server.start()
        until(lambda: reader.times == [1, 2])
        hub.tell([row(3)])
        until(lambda: reader.times == [1, 2, 3])


def test_a_slow_reader_gets_every_row_and_keeps_nobody_waiting(server: NatsServer) -> None:
    with reading(server.settings) as slow, reading(server.settings) as quick, making(server.settings) as hub:
        slow.going.clear()
        for number in range(1, 501):
            hub.tell([row(number)])
        until(lambda: len(quick.rows) == 500)
        assert slow.rows == []
        slow.going.set()
        until(lambda: len(slow.rows) == 500)
        assert slow.times == quick.times == list(range(1, 501))


def test_a_reader_knows_when_rows_were_dropped_before_it_read_them(server: NatsServer) -> None:
    small = server.settings.model_copy(update={"live_hub_bytes": 1 << 20})
    with reading(small) as slow, making(small) as hub:
        hub.tell([row(0)])
        until(lambda: slow.times == [0])
        slow.going.clear()
        for number in range(1, 401):
            hub.tell([row(number, data=b"x" * 10_000)])
        until(lambda: not hub.waiting)
        slow.going.set()
        until(lambda: slow.times[-1] == 400)
        assert len(slow.rows) < 401
        assert any(slow.missed[1:])
        assert slow.times == sorted(set(slow.times))


def test_what_is_delivered_twice_is_told_once(server: NatsServer) -> None:
    from aperiodic.engine.live.nats_server import Names, Told, connected, encode  # noqa: PLC0415 - an extra

    subject = Names(server.settings).of(SERIES)

    async def publish(*numbers: int) -> None:
        async with connected(server.settings, "test") as connection:
            for number in numbers:
                made = row(number, revision=number // 3)
                await connection.jetstream.publish(subject, encode(Told("m", number, [made])))

    with reading(server.settings) as reader:
        # Without identities NATS cannot know that they come again; 3 is a correction, and 1 and 2 come after it.
        asyncio.run(publish(1, 2, 2, 3, 1, 2, 3, 4, 3, 6))
        until(lambda: reader.times[-1:] == [6])
        assert reader.times == [1, 2, 3, 4, 6]
        assert reader.source.repeated == 5
        assert reader.missed == [True, False, False, False, True]
    assert [each.time for each in reader.source.past(SERIES, 0, 3)] == [3, 4, 6]


def test_messages_that_cannot_be_read_are_passed_over(server: NatsServer) -> None:
    from aperiodic.engine.live.nats_server import Names, connected  # noqa: PLC0415 - an extra

    async def publish() -> None:
        async with connected(server.settings, "test") as connection:
            await connection.jetstream.publish(Names(server.settings).of(SERIES), b"\xc1 no rows")
            await connection.client.publish(Names(server.settings).here, b"\xc1 nobody")

    with reading(server.settings) as reader, making(server.settings) as hub:
        asyncio.run(publish())
        hub.tell([row(1)])
        until(lambda: reader.times == [1])
        assert reader.source.refused == 1


def test_bars_below_a_minute_are_made_while_somebody_wants_them(server: NatsServer) -> None:
    with making(server.settings) as hub:
        assert not hub.seconds
        with reading(server.settings, seconds=SECONDS):
            until(lambda: hub.seconds == SECONDS)
        until(lambda: not hub.seconds)


def test_a_server_of_a_version_before_wants_all_bars_below_a_minute_or_none(server: NatsServer) -> None:
    from aperiodic.engine.live.nats_server import Names, connected, encode  # noqa: PLC0415 - an extra

    async def say(*, wants_seconds: bool) -> None:
        async with connected(server.settings, "test") as connection:
            await connection.client.publish(Names(server.settings).here, encode(["old", wants_seconds]))

    with making(server.settings) as hub:
        until(lambda: hub.trouble is None)
        asyncio.run(say(wants_seconds=True))
        until(lambda: hub.seconds == ALL_SECONDS)
        asyncio.run(say(wants_seconds=False))
        until(lambda: not hub.seconds)


def test_the_stream_is_bounded_as_the_settings_say_and_keeps_what_an_operator_has_set(server: NatsServer) -> None:
    from aperiodic.engine.live.nats_server import connected, require_stream  # noqa: PLC0415 - an extra

    async def look(settings: HubSettings) -> tuple[float | None, int | None, str | None]:
        async with connected(settings, "test") as connection:
            info = await require_stream(connection.jetstream, settings)
            if info.config.description is None:
                await connection.jetstream.update_stream(info.config.evolve(description="ours"))
            return info.config.max_age, info.config.max_bytes, info.config.description

    settings = server.settings
    assert asyncio.run(look(settings)) == (25 * 3_600, 1 << 30, None)
    other = settings.model_copy(update={"live_hub_hours": 2, "live_hub_bytes": 1 << 21})
    assert asyncio.run(look(other)) == (2 * 3_600, 1 << 21, "ours")


def test_what_was_told_is_read_again_from_a_time_on(server: NatsServer) -> None:
    with making(server.settings) as hub, reading(server.settings) as reader:
        hub.tell([row(1)])
        until(lambda: reader.times == [1])
        moment = now_us()
        hub.tell([row(2), row(3)])
        until(lambda: reader.times == [1, 2, 3])
        source = reader.source
        assert [each.time for each in source.past(SERIES, 0, 100)] == [1, 2, 3]
        assert [each.time for each in source.past(SERIES, moment, 100)] == [2, 3]
        assert source.past(("flow", *SERIES[1:]), 0, 100) == []
        server.kill()
        assert source.past(SERIES, 0, 100) == []


def test_what_is_kept_is_told_in_words(server: NatsServer, capsys: pytest.CaptureFixture[str]) -> None:
    def finding() -> dict[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            address = server.settings.live_hub
            assert address is not None
            patch.setenv("APERIODIC_LIVE_HUB", address.get_secret_value())
            with suppress(SystemExit):  # there is no installation here
                doctor(as_json=True, no_hosts=True)
        found: list[dict[str, str]] = json.loads(capsys.readouterr().out)
        return next(each for each in found if each["check"] == "live rows over NATS")

    assert finding() == {
        "check": "live rows over NATS",
        "state": "ok",
        "detail": "NATS answers; no rows have been told yet",
        "hint": "",
    }
    with making(server.settings) as hub:
        hub.tell([row(1)])
        until(lambda: not hub.waiting)
    assert finding()["detail"] == "NATS answers, 1 messages kept, 0.0 MiB"
    server.kill()
    assert (finding()["state"], finding()["detail"]) == ("warning", "NATS does not answer")


def test_a_password_that_is_wrong_is_told_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NatsServer, "extra", ("--user", "us", "--pass", "right"))
    with nats_server(tmp_path) as server:
        address = f"nats://us:wrong@127.0.0.1:{server.port}"
        hub = open_hub(tmp_path, HubSettings(live_hub=SecretStr(address)))
        until(lambda: "refuses" in (hub.trouble or ""))
        hub.close()
        with making(HubSettings(live_hub=SecretStr(address.replace("wrong", "right")))):
            pass


@pytest.mark.parametrize("address", ["localhost:4222", "http://localhost", "nats://a b", "nats://a,b"])
def test_an_address_of_something_else_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="nats://host:port"):
        HubSettings(live_hub=SecretStr(address))
