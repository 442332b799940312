"""The past, then what is live: no row is missing between them, and none comes twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import API_KEY, FakeApi, MockServer, Reply, bars, json_reply, parquet
from tests.client.stream.stream_server import BTC, ETH, StreamServer, Talk

import aperiodic
from aperiodic.client import newest as newest_rows
from aperiodic.client import stream_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOUR = 3_600_000_000
FIRST = 1_735_689_600_000_000
"""2025-01-01 in µs."""
NOW = FIRST + 50 * HOUR
CHANNEL = "ohlcv.binance-futures.1h"


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with MockServer() as api, MockServer() as store:
        yield FakeApi(api, store)


@pytest.fixture
def followed(fake: FakeApi, server: StreamServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., aperiodic.Stream]:
    """Follows hourly bars, of which those of the first two days and of an hour are published, two hours into the third."""
    monkeypatch.setattr(stream_history, "now_us", lambda: NOW)
    today = bars("2025-01-03").head(1)
    files = [fake.store_file(day, parquet(bars(day))) for day in ("2025-01-01", "2025-01-02")]
    files.append(fake.store_file("2025-01-03", parquet(today)))
    fake.reply(json_reply({"files": files, "missing": []}))

    def follow(**changes: Any) -> aperiodic.Stream:
        asked = {
            "metric": "ohlcv",
            "interval": "1h",
            "exchange": "binance-futures",
            "symbol": BTC,
            "start": "2025-01-01",
        }
        where = {"base_url": fake.base_url, "stream_url": server.url}
        return aperiodic.follow(**{"api_key": API_KEY, **asked, **where, **changes})

    return follow


def live(hour: int, symbol: str = BTC, **fields: object) -> dict[str, Any]:
    data = {"symbol": symbol, "interval": "1h", "time": FIRST + hour * HOUR, "close": float(hour)}
    return {"channel": CHANNEL, "data": {**data, "complete": True, "revision": 0, **fields}}


def hours(messages: Any) -> list[int]:
    return [(message.time_us - FIRST) // HOUR for message in messages]


def replaying(talk: Talk) -> None:
    talk.subscribed(channels=[CHANNEL], replayed=True)
    talk.send(*(live(hour) for hour in (47, 48, 49, 50, 51)))


def test_every_row_comes_once(server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]) -> None:
    server.on(replaying)
    with followed() as stream:
        messages = list(islice(stream, 52))
    assert hours(messages) == list(range(52))
    assert {message.symbol for message in messages} == {BTC}
    assert messages[30].data["interval"] == "1h"
    assert messages[30].data["close"] == 6.0, "the published bar"
    assert messages[30].complete is None
    assert messages[51].complete is True
    assert stream.gaps == []
    assert server.heard == [
        {
            "op": "subscribe",
            "id": "s1",
            "since": FIRST + 48 * HOUR + 1,
            "channels": [{"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1h", "symbols": [BTC]}],
        }
    ]
    (asked,) = (asked for asked in fake.api.asked if asked.path.endswith("/data/ohlcv"))
    assert (asked.query["start_date"], asked.query["end_date"]) == ("2025-01-01", "2025-01-03")
    assert asked.query["timestamp"] == "exchange"


def test_a_corrected_row_of_the_past_comes_again(
    server: StreamServer, followed: Callable[..., aperiodic.Stream]
) -> None:
    def correcting(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL], replayed=True)
        talk.send(live(48), live(30, revision=1, close=99.0), live(49))

    server.on(correcting)
    with followed() as stream:
        messages = list(islice(stream, 51))
        frame = stream.frame()
    assert hours(messages) == [*range(49), 30, 49]
    assert [message.corrected for message in messages[48:]] == [False, True, False]
    assert frame.height == 50
    assert frame["close"][30] == 99.0


def test_it_begins_at_the_time_that_was_given(server: StreamServer, followed: Callable[..., aperiodic.Stream]) -> None:
    server.on(replaying)
    with followed(start=datetime(2025, 1, 2, 22, tzinfo=UTC)) as stream:
        assert hours(islice(stream, 4)) == [46, 47, 48, 49]


def test_without_a_past_the_stream_is_asked_for_all(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    fake.reply(json_reply({"files": [], "missing": []}))
    server.on(replaying)
    with followed(start="2025-01-03") as stream:
        assert hours(islice(stream, 5)) == [47, 48, 49, 50, 51]
    assert server.heard[0]["since"] == FIRST + 48 * HOUR


def test_from_the_future_on_only_new_rows_come(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    def only_new(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL])
        talk.send(live(51))

    server.on(only_new)
    with followed(start=datetime.now(UTC) + timedelta(days=1)) as stream:
        assert hours(islice(stream, 1)) == [51]
    assert "since" not in server.heard[0]
    assert fake.api.asked == []


def test_rows_that_the_server_cannot_replay_are_a_gap(
    server: StreamServer, followed: Callable[..., aperiodic.Stream]
) -> None:
    def only_new(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL])
        talk.send(live(48), live(51))

    server.on(only_new)
    with followed() as stream:
        rows = iter(stream)
        list(islice(rows, 49))
        with pytest.warns(aperiodic.StreamWarning, match="does not send the rows since 2025-01-03 00:00:00"):
            assert hours([next(rows)]) == [51]
    assert [begin for begin, _ in stream.gaps] == [datetime(2025, 1, 3, 0, 0, 0, 1, tzinfo=UTC)]


LATEST = "/api/v1/data/latest/ohlcv"


def newest(*some: int) -> Reply:
    rows = [{"symbol": BTC, "time": FIRST + hour * HOUR, "close": float(hour), "complete": True} for hour in some]
    return json_reply({"rows": rows, "missing": []})


def forgetting(*some: int) -> Callable[[Talk], None]:
    """Answers as a server that knows nothing of before, and tells the rows of some hours."""

    def script(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL], replayed=False)
        talk.send(*(live(hour) for hour in some))

    return script


def until_1012(talk: Talk) -> None:
    talk.subscribed(channels=[CHANNEL], replayed=True)
    talk.send(live(49), live(50))
    talk.close(1012, "rows were missed")


def test_rows_that_a_server_forgot_are_fetched(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    server.on(until_1012, forgetting(53, 54))
    fake.api.on(LATEST, newest(*range(49, 54)))  # the row that is told has got there too
    with followed() as stream:
        rows = iter(stream)
        first = list(islice(rows, 51))
        with pytest.warns(aperiodic.StreamWarning, match="connection was lost"):
            rest = list(islice(rows, 4))
        frame = stream.frame()
    assert hours([*first, *rest]) == list(range(55))
    assert {(message.channel, message.data["interval"]) for message in rest} == {(CHANNEL, "1h")}
    assert [message.complete for message in rest] == [True] * 4
    assert [asked["since"] for asked in server.heard] == [FIRST + 48 * HOUR + 1, FIRST + 50 * HOUR + 1]
    (asked,) = (asked for asked in fake.api.asked if asked.path == LATEST)
    wanted = {"timestamp": "exchange", "interval": "1h", "exchange": "binance-futures", "symbol": BTC}
    assert {name: asked.query[name] for name in wanted} == wanted
    assert stream.gaps == []
    assert frame["close"][-5:].to_list() == [50.0, 51.0, 52.0, 53.0, 54.0]


def test_a_long_outage_is_fetched_from_files_and_from_the_newest_rows(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest rows do not reach back to the outage; files do, and end before the newest rows do."""
    monkeypatch.setattr(newest_rows, "MOST_BARS", 3)
    ready = threading.Event()

    def ends_when_ready(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL], replayed=True)
        talk.send(live(49), live(50))
        assert ready.wait(60)
        talk.close(1012, "rows were missed")

    server.on(ends_when_ready, forgetting(75))
    fake.api.on(LATEST, newest(72, 73, 74))
    with followed() as stream:
        rows = iter(stream)
        list(islice(rows, 51))
        files = [fake.store_file(day, parquet(bars(day))) for day in ("2025-01-03", "2025-01-04")]
        fake.reply(json_reply({"files": files[:1], "missing": []}))
        monkeypatch.setattr(stream_history, "now_us", lambda: NOW + 25 * HOUR)
        ready.set()
        with pytest.warns(aperiodic.StreamWarning, match="connection was lost"):
            assert hours(islice(rows, 25)) == list(range(51, 76))
    assert stream.gaps == []
    asked = [asked.query for asked in fake.api.asked if asked.path.endswith("/data/ohlcv")][-1]
    assert (asked["start_date"], asked["end_date"]) == ("2025-01-03", "2025-01-04")


def test_the_past_and_the_stream_meet_where_the_server_replays_nothing(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    server.on(forgetting(51))
    fake.api.on(LATEST, newest(46, 47, 48, 49, 50))
    with followed() as stream:
        assert hours(islice(stream, 52)) == list(range(52))
    assert stream.gaps == []


def test_where_the_newest_rows_cannot_be_had_the_gap_begins_behind_the_files(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    """As at a server that knows neither `since` nor that request: it answers 404."""
    server.on(until_1012, forgetting(55))
    with followed() as stream:
        rows = iter(stream)
        list(islice(rows, 51))
        fake.reply(json_reply({"files": [fake.store_file("2025-01-03", parquet(bars("2025-01-03").head(5)))]}))
        with pytest.warns(aperiodic.StreamWarning, match="connection was lost"):
            assert hours(islice(rows, 3)) == [51, 52, 55]
    ((begin, end),) = stream.gaps
    assert begin <= end


def test_rows_that_cannot_be_fetched_are_a_gap_with_a_reason(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    server.on(until_1012, forgetting(55))
    with followed() as stream:
        rows = iter(stream)
        list(islice(rows, 51))
        fake.reply(json_reply({"error": "No more today.", "code": "quota"}, status=403))
        with pytest.warns(aperiodic.StreamWarning) as told:
            assert hours(islice(rows, 1)) == [55]
    assert "cannot be fetched: " in str(told[-1].message)
    assert "No more today." in str(told[-1].message)
    assert len(stream.gaps) == 1


def test_who_wants_no_holes_gets_an_error(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    server.on(until_1012, forgetting(55))
    with followed(on_incomplete="raise") as stream:
        rows = iter(stream)
        list(islice(rows, 51))
        fake.reply(json_reply({"files": [], "missing": ["2025-01"]}))
        with pytest.warns(aperiodic.StreamWarning), pytest.raises(aperiodic.IncompleteDataError):
            next(rows)


async def test_rows_are_fetched_in_an_event_loop(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    server.on(until_1012, forgetting(53))
    fake.api.on(LATEST, newest(49, 50, 51, 52))
    stream = followed()
    with pytest.warns(aperiodic.StreamWarning, match="connection was lost"):
        frame = await stream.frame_async(54)
    await stream.close_async()
    assert frame["close"][-4:].to_list() == [50.0, 51.0, 52.0, 53.0]
    assert stream.gaps == []


@pytest.mark.parametrize("answer", [{"rows": "none"}, {"rows": [{"symbol": BTC}]}, {}])
def test_an_answer_without_rows_is_not_believed(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream], answer: dict[str, Any]
) -> None:
    server.on(forgetting(51))
    fake.api.on(LATEST, json_reply(answer))
    with followed() as stream:
        rows = iter(stream)
        list(islice(rows, 49))
        with pytest.warns(aperiodic.StreamWarning, match="does not send the rows since"):
            assert hours([next(rows)]) == [51]
    assert len(stream.gaps) == 1


def test_a_name_of_the_channel_that_the_server_chose(
    server: StreamServer, followed: Callable[..., aperiodic.Stream]
) -> None:
    name = f"{CHANNEL}.exchange"

    def renaming(talk: Talk) -> None:
        talk.subscribed(channels=[name], replayed=True)
        talk.send(*({**live(hour), "channel": name} for hour in (48, 49)))

    server.on(renaming)
    with followed() as stream:
        assert hours(islice(stream, 50)) == list(range(50))


def test_several_symbols_are_in_order_of_time(server: StreamServer, followed: Callable[..., aperiodic.Stream]) -> None:
    server.on(replaying)
    with followed(symbol=[BTC, ETH], timestamp="true") as stream:
        messages = list(islice(stream, 4))
    assert hours(messages) == [0, 0, 1, 1]
    assert [message.symbol for message in messages] == [BTC, ETH, BTC, ETH]
    assert messages[0].channel == f"{CHANNEL}.true"


def test_what_is_missing_from_the_past_is_told(
    server: StreamServer, fake: FakeApi, followed: Callable[..., aperiodic.Stream]
) -> None:
    file = fake.store_file("2025-01-01", parquet(bars("2025-01-01")), source="simulated")
    fake.reply(json_reply({"files": [file], "missing": ["2025-01-02"]}))
    server.on(replaying)
    with followed() as stream:
        with pytest.warns(aperiodic.IncompleteDataWarning, match="2025-01-02") as told:
            assert hours([next(iter(stream))]) == [0]
        assert told[0].filename == __file__
    with followed(on_incomplete="raise") as stream, pytest.raises(aperiodic.IncompleteDataError):
        next(iter(stream))


async def test_in_an_event_loop(server: StreamServer, followed: Callable[..., aperiodic.Stream]) -> None:
    server.on(replaying)
    seen = []
    async with followed() as stream:
        async for message in stream:
            seen.append(message)
            if len(seen) == 52:
                break
    assert hours(seen) == list(range(52))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"metric": "No such"}, "unknown_metric"),
        ({"interval": "1 h"}, "unknown_interval"),
        ({"symbol": []}, "bad_symbols"),
        ({"symbol": ["BTC"]}, "bad_symbol"),
        ({"start": None}, "missing_start"),
        ({"start": "soon"}, "bad_start"),
        ({"timestamp": "venue"}, "unknown_timestamp"),
        ({"on_incomplete": "maybe"}, "unknown_on_incomplete"),
    ],
)
def test_mistakes_are_named_at_once(
    followed: Callable[..., aperiodic.Stream], changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        followed(**changes)
    assert caught.value.code == code
