"""The contract of the published client: subscription, rows, warnings, errors, closing."""

from __future__ import annotations

import threading
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import API_KEY
from tests.client.stream.stream_server import BTC, CHANNEL, ETH, MINUTE, START, StreamServer, Talk, row

import aperiodic
from aperiodic.client import stream_session

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = Callable[..., aperiodic.Stream]

REJECTED = {"channel": "flow.binance.1s", "code": "not_entitled", "message": "Needs the Prime plan."}


def minutes(messages: Any) -> list[int]:
    return [(message.data["time"] - START) // MINUTE for message in messages]


def three_rows(talk: Talk) -> None:
    talk.subscribed()
    talk.rows(0, 1, 2)


def test_rows_come_as_they_were_published(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened()
    before = stream.subscription
    messages = list(islice(stream, 3))
    assert minutes(messages) == [0, 1, 2]
    assert messages[0] == aperiodic.StreamMessage(CHANNEL, row()["data"], snapshot=False)
    assert (before, stream.subscription) == (None, aperiodic.StreamSubscription((CHANNEL,), ()))
    assert stream.gaps == []
    assert server.heard == [{"op": "subscribe", "id": "s1", "channels": [CHANNEL]}]
    assert server.headers[0]["X-API-KEY"] == API_KEY
    assert server.headers[0]["User-Agent"].startswith("aperiodic/")


def test_a_loop_that_is_left_closes_with_1000(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    for message in opened():
        assert message.symbol == BTC
        break
    assert server.code() == 1000


def test_an_exception_in_the_loop_closes_with_1000(server: StreamServer, opened: Opened) -> None:
    def fail() -> None:
        for message in opened():
            raise KeyError(message.channel)

    server.on(three_rows)
    with pytest.raises(KeyError):
        fail()
    assert server.code() == 1000


def test_a_context_manager_closes_with_1000(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    with opened() as stream:
        rows = iter(stream)
        assert minutes([next(rows)]) == [0]
    assert server.code() == 1000
    assert list(rows) == []
    assert list(stream) == []


def test_close_from_another_thread_ends_the_loop(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened()
    closer = threading.Thread(target=stream.close)
    seen = []
    for message in stream:
        seen.append(message)
        if len(seen) == 3:
            closer.start()
    closer.join()
    assert minutes(seen) == [0, 1, 2]
    assert server.code() == 1000


def test_close_ends_the_wait_for_the_next_attempt(
    server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_session, "_delay", lambda *_: 600.0)

    def lost(talk: Talk) -> None:
        three_rows(talk)
        talk.close(1001)

    server.on(lost)
    stream = opened()
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timer = threading.Timer(0.05, stream.close)
        for message in stream:
            seen.append(message)
            if len(seen) == 3:
                timer.start()
    assert len(seen) == 3


def test_each_iteration_is_a_connection_of_its_own(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened()
    assert minutes(islice(stream, 2)) == [0, 1]
    assert minutes(islice(stream, 2)) == [0, 1]
    assert [asked["id"] for asked in server.heard] == ["s1", "s2"]


def test_a_channel_by_its_parts_comes_first(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened(dataset="ohlcv", exchange="binance-futures", interval="1m", symbols=BTC, timestamp="true")
    next(iter(stream))
    named = {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1m"}
    assert server.heard[0]["channels"] == [{**named, "timestamp": "true", "symbols": [BTC]}, CHANNEL]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channels": None}, "missing_channels"),
        ({"channels": CHANNEL}, "bad_channels"),
        ({"channels": [7]}, "bad_channels"),
        ({"channels": [{"dataset": "ohlcv"}]}, "missing_exchange"),
        ({"channels": [CHANNEL] * 201}, "too_many_channels"),
        ({"dataset": "ohlcv", "interval": "1m"}, "missing_exchange"),
        ({"symbols": [BTC]}, "missing_dataset"),
        ({"dataset": "ohlcv", "exchange": "binance", "interval": "1m", "symbols": []}, "bad_symbols"),
        ({"api_key": ""}, "missing_api_key"),
        ({"stream_url": "http://127.0.0.1/v1/stream"}, "bad_stream_url"),
        ({"stream_url": "ws://127.0.0.1:99999/v1/stream"}, "bad_stream_url"),
        ({"since": "yesterday"}, "bad_since"),
        ({"since": -1}, "bad_since"),
        ({"since": 10**18}, "bad_since"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(opened: Opened, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        opened(**changes)
    assert caught.value.code == code
    assert caught.value.hint


def test_without_websockets_it_says_what_to_install(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ImportError, match=r"pip install \"websockets>=15\"") as caught:
        opened()
    assert isinstance(caught.value, aperiodic.InvalidInputError)
    assert caught.value.code == "missing_package"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "wss://stream.aperiodic.io/v1/stream"),
        ({"APERIODIC_API_URL": "http://127.0.0.1:8000/api/v1"}, "ws://127.0.0.1:8000/v1/stream"),
        ({"APERIODIC_API_URL": "https://bars.example/api/v1/"}, "wss://bars.example/v1/stream"),
        ({"APERIODIC_API_URL": "https://a.b/api/v1", "APERIODIC_STREAM_URL": "wss://c.d/s"}, "wss://c.d/s"),
    ],
)
def test_where_the_stream_is(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert aperiodic.stream("key", channels=[CHANNEL])._session.url == url


def test_some_channels_refused_is_a_warning(server: StreamServer, opened: Opened) -> None:
    def partly(talk: Talk) -> None:
        talk.subscribed(REJECTED)
        talk.rows(0)

    server.on(partly)
    stream = opened()
    with pytest.warns(
        aperiodic.StreamWarning, match=r"flow\.binance\.1s \(not_entitled\): Needs the Prime plan"
    ) as told:
        assert minutes(islice(stream, 1)) == [0]
    assert told[0].filename == __file__
    assert stream.subscription is not None
    assert stream.subscription.rejected == (aperiodic.ChannelRejection(**REJECTED),)


def test_all_channels_refused_is_an_error(server: StreamServer, opened: Opened) -> None:
    server.on(lambda talk: talk.subscribed(REJECTED, channels=[]))
    with pytest.raises(aperiodic.StreamSubscriptionError, match="Needs the Prime plan") as caught:
        list(opened())
    assert caught.value.rejected == (aperiodic.ChannelRejection(**REJECTED),)
    assert server.code() == 1000


def test_a_subscription_refused_as_a_whole(server: StreamServer, opened: Opened) -> None:
    def refuse(talk: Talk) -> None:
        asked = talk.heard()
        talk.send({"op": "error", "id": asked["id"], "code": "invalid_message", "message": "No channels."})

    server.on(refuse)
    with pytest.raises(aperiodic.StreamSubscriptionError, match=r"\(invalid_message\): No channels\."):
        list(opened())


def test_without_an_answer_it_is_an_error(
    server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_session, "OPEN_SECONDS", 0.05)
    server.on(lambda talk: talk.rows(0))
    with pytest.raises(TimeoutError) as caught:
        list(opened())
    assert isinstance(caught.value, aperiodic.AperiodicDataError)
    assert caught.value.code == "stream_silent"


def test_rows_before_the_answer_are_kept(server: StreamServer, opened: Opened) -> None:
    def early(talk: Talk) -> None:
        asked = talk.heard()
        talk.rows(0)
        talk.send({"op": "subscribed", "id": "another", "channels": []})
        talk.answer(asked)
        talk.rows(1)

    server.on(early)
    assert minutes(islice(opened(), 2)) == [0, 1]


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (
            401,
            {"error": "Unknown API key.", "code": "unknown_key", "hint": "Check it."},
            "unknown_key",
            "Unknown API key.",
        ),
        (403, {"message": "No live data in the plan.", "code": "live_not_in_plan"}, "live_not_in_plan", "No live data"),
        (426, {"error": "This client is too old."}, None, "too old"),
        (429, {"error": "Too many connections."}, None, "Too many connections."),
        (503, b"<html>busy</html>", None, "Service Unavailable."),
        (404, b"", None, "ends in /v1/stream"),
    ],
)
def test_a_refused_handshake(
    server: StreamServer, opened: Opened, status: int, body: object, code: str | None, said: str
) -> None:
    server.refuse(status, body)
    with pytest.raises(aperiodic.APIError) as caught:
        list(opened())
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert said in str(caught.value)
    assert len(server.headers) == 1, "the first connection is tried once"


def test_a_redirect_does_not_take_the_key_along(server: StreamServer, opened: Opened) -> None:
    with StreamServer() as other:
        other.on(three_rows)
        server.refuse(307, b"", {"Location": other.url})
        with pytest.raises(aperiodic.APIError, match="redirects to"):
            list(opened())
        assert other.headers == []


def test_nothing_at_the_address(opened: Opened) -> None:
    with StreamServer() as gone:
        url = gone.url
    with pytest.raises(ConnectionError, match="connection refused") as caught:
        list(opened(stream_url=url))
    assert isinstance(caught.value, aperiodic.AperiodicDataError)
    assert caught.value.code == "server_unreachable"


def test_snapshots_come_when_they_are_wanted(server: StreamServer, opened: Opened) -> None:
    def with_snapshot(talk: Talk) -> None:
        talk.subscribed()
        talk.send({**row(0), "snapshot": True}, row(1))

    server.on(with_snapshot)
    assert [message.snapshot for message in islice(opened(), 2)] == [True, False]
    assert [message.snapshot for message in islice(opened(snapshot=False), 1)] == [False]


def test_frames_that_are_no_rows(server: StreamServer, opened: Opened) -> None:
    def mixed(talk: Talk) -> None:
        talk.subscribed()
        talk.send("{", b"\xff\xfe", "[1]", "[" * 100_000, {"channel": CHANNEL, "data": [1]}, {"channel": 7, "data": {}})
        talk.send({"op": "heartbeat"}, {"op": "pong"}, {"op": "later"}, {})
        talk.send({"op": "error", "code": "busy", "message": "Later."})
        talk.rows(0)

    server.on(mixed)
    with pytest.warns(aperiodic.StreamWarning) as told:
        assert minutes(islice(opened(), 1)) == [0]
    texts = [str(warning.message) for warning in told]
    assert ["no JSON object" in text for text in texts] == [True] * 4 + [False] * 3
    assert ["is no row" in text for text in texts] == [False] * 4 + [True, True, False]
    assert "(busy): Later." in texts[-1]


def test_numbers_that_json_does_not_have_are_none(server: StreamServer, opened: Opened) -> None:
    def odd(talk: Talk) -> None:
        talk.subscribed()
        talk.send(row(0, close=float("nan"), open=float("-inf")))

    server.on(odd)
    (message,) = islice(opened(), 1)
    assert (message.data["close"], message.data["open"], message.data["high"]) == (None, None, 0.0)


def test_channels_taken_away(server: StreamServer, opened: Opened) -> None:
    other = "flow.binance-futures.1m"

    def take_away(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL, other])
        talk.send({"op": "unsubscribed", "channels": [other], "rejected": []})
        talk.rows(0)
        talk.send({"op": "unsubscribed", "channels": [], "rejected": [{**REJECTED, "channel": CHANNEL}]})

    server.on(take_away)
    stream = opened()
    rows = iter(stream)
    with pytest.warns(aperiodic.StreamWarning, match=r"took away channels\. flow"):
        next(rows)
    assert stream.subscription is not None
    assert stream.subscription.channels == (CHANNEL,)
    with pytest.raises(aperiodic.StreamSubscriptionError, match="took away every channel") as caught:
        next(rows)
    assert [item.channel for item in caught.value.rejected] == [CHANNEL]


def test_the_properties_of_a_row() -> None:
    message = aperiodic.StreamMessage(CHANNEL, row(0, revision=2, complete=False)["data"])
    assert (message.symbol, message.complete, message.revision, message.corrected) == (BTC, False, 2, True)
    assert f"{message.time:%Y-%m-%d %H:%M}" == "2026-11-18 11:07"
    bare = aperiodic.StreamMessage(CHANNEL, {"time": 10**30})
    assert (bare.symbol, bare.complete, bare.revision, bare.corrected, bare.time) == (None, None, 0, False, None)
    assert aperiodic.StreamMessage(CHANNEL, {}).time_us is None


def test_symbols_are_told_apart(server: StreamServer, opened: Opened) -> None:
    def two(talk: Talk) -> None:
        talk.subscribed()
        talk.send(row(0), row(0, ETH))

    server.on(two)
    assert [message.symbol for message in islice(opened(), 2)] == [BTC, ETH]
