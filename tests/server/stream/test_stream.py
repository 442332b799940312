"""`/v1/stream` as a client sees it: who is let in, what is answered, and which rows come."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.stream.rows import BTC, ETH, MINUTE, T, row
from tests.server.stream.talking import ask, opened, received, tell_before
from tests.servers import Api, make_key, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aperiodic.accounts.keys import public_id_of, revoke_key
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from aperiodic.engine.live import LiveHub


def fill(others: ExitStack, api: Api, key: str) -> None:
    for _ in range(100):
        others.enter_context(opened(api, key))


def read_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=60)


def refused(api: Api, key: str, **headers: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught, opened(api, key, **headers):
        pass
    body = json.loads(caught.value.response.body or b"")
    assert body["error"]
    return caught.value.response.status_code, body["code"]


def test_rows_come_on_the_channels_asked_for(api: Api, hub: LiveHub) -> None:
    with opened(api) as client:
        answer = ask(client, op="subscribe", id="s1", channels=["ohlcv.binance-futures.1m"])
        assert answer == {"id": "s1", "op": "subscribed", "channels": ["ohlcv.binance-futures.1m"], "rejected": []}
        hub.tell([row(0), row(0, dataset="vtwap"), row(0, ETH)])
        found = [received(client), received(client)]
        assert found[0] == {
            "channel": "ohlcv.binance-futures.1m",
            "data": {
                "symbol": BTC,
                "interval": "1m",
                "time": T,
                "close": 100.5,
                "vwap": None,
                "complete": True,
                "revision": 0,
            },
        }
        assert found[1]["data"]["symbol"] == ETH
        hub.tell([row(0, revision=1)])
        assert received(client)["data"]["revision"] == 1
        # A maker that begins again tells what was told.
        hub.tell([row(0), row(1)])
        assert received(client)["data"]["time"] == T + MINUTE


def test_the_newest_row_of_each_symbol_comes_first(api: Api, hub: LiveHub) -> None:
    tell_before(api, hub, [row(10, dataset="flow"), row(11, dataset="flow"), row(10, ETH, dataset="flow")])
    with opened(api) as client:
        asked = [{"dataset": "flow", "exchange": "binance-futures", "interval": "1m", "symbols": [BTC]}]
        answer = ask(client, op="subscribe", id="s1", channels=asked)
        assert answer["channels"] == ["flow.binance-futures.1m"]
        first = received(client)
        assert (first["snapshot"], first["data"]["time"]) == (True, T + 11 * MINUTE)
        hub.tell([row(12, ETH, dataset="flow"), row(12, dataset="flow")])
        following = received(client)
        assert (following["data"]["symbol"], following["data"]["time"]) == (BTC, T + 12 * MINUTE)
        assert "snapshot" not in following


def test_what_cannot_be_had_is_refused_one_by_one(api: Api) -> None:
    channels = [
        "ohlcv.binance-futures.1m",
        "ohlc.binance-futures.1m",
        "ohlcv.binance-futures.1s.exchange",
        "ohlcv",
        7,
        "funding.binance.1m",
        {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1h", "symbols": ["BTCUSDT"]},
    ]
    with opened(api) as client:
        answer = ask(client, op="subscribe", id="s1", channels=channels)
        assert answer["channels"] == ["ohlcv.binance-futures.1m"]
        codes = [(each["channel"], each["code"]) for each in answer["rejected"]]
        assert codes == [
            ("ohlc.binance-futures.1m", "unknown_channel"),
            ("ohlcv.binance-futures.1s.exchange", "unknown_channel"),
            ("ohlcv", "invalid_message"),
            ("7", "invalid_message"),
            ("funding.binance.1m", "not_live"),
            ("ohlcv.binance-futures.1h", "unknown_channel"),
        ]
        assert "Did you mean 'ohlcv'?" in answer["rejected"][0]["message"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_message"),
        ("[]", "invalid_message"),
        ('{"op":"subscribe"}', "invalid_message"),
        ('{"op":"subscribe","channels":[]}', "invalid_message"),
        ('{"op":"subscribe","channels":["a"],"since":"now"}', "invalid_message"),
        ('{"op":{},"channels":["a"]}', "invalid_message"),
        ('{"op":"dance"}', "invalid_message"),
        (json.dumps({"op": "subscribe", "channels": ["a.b.c"] * 201}), "limit_exceeded"),
    ],
)
def test_messages_that_make_no_sense_are_answered(api: Api, message: str, code: str) -> None:
    with opened(api) as client:
        client.send(message)
        answer = received(client)
        assert (answer["op"], answer["code"]) == ("error", code)
        assert ask(client, op="ping", id="p") == {"id": "p", "op": "pong"}


def test_channels_can_be_given_up(api: Api, hub: LiveHub) -> None:
    name, other = "returns.binance-futures.1m", "returns.binance-futures.1m.exchange"
    with opened(api) as client:
        ask(client, op="subscribe", id="s1", channels=[name, other, "vtwap.binance-futures.1m"])
        while drained(client):
            pass
        answer = ask(client, op="unsubscribe", id="u1", channels=[name, "flow.binance.1m"])
        assert (answer["op"], answer["channels"]) == ("unsubscribed", [name])
        assert [each["channel"] for each in answer["rejected"]] == ["flow.binance.1m"]
        hub.tell([row(30, dataset="returns")])
        assert received(client)["channel"] == other


def drained(client: ClientConnection) -> bool:
    """Take the next row of a snapshot, if there is one."""
    try:
        return "snapshot" in client.recv(timeout=0.3)
    except TimeoutError:
        return False


def test_who_may_not_come_in_is_told_why(api: Api, home: Path) -> None:
    assert refused(api, "") == (401, "missing_key")
    assert refused(api, "ap_live_000000000000_" + "a" * 40) == (401, "unknown_key")
    assert refused(api, make_key(home, "starter")) == (403, "live_not_in_plan")
    assert refused(api, api.key, **{"User-Agent": "aperiodic-python/2.0.1"}) == (426, "client_obsolete")
    plain = httpx.get(api.url.removesuffix("/api/v1") + "/v1/stream")
    assert (plain.status_code, plain.json()["code"]) == (426, "upgrade_required")


def test_a_plan_has_so_many_connections_and_no_more(api: Api, home: Path) -> None:
    key = make_key(home, "pro")
    with ExitStack() as others:
        with opened(api, key):
            with pytest.raises(InvalidStatus) as caught:
                fill(others, api, key)
            answer = caught.value.response
            assert (answer.status_code, json.loads(answer.body or b"")["code"]) == (429, "too_many_streams")
            assert answer.headers["Retry-After"]
        for _ in range(400):
            with suppress(InvalidStatus):
                others.enter_context(opened(api, key))
                return
            time.sleep(0.05)
    pytest.fail("the place of a connection that ended is not free")


def ping_often(client: ClientConnection) -> None:
    """Read each answer before the next is asked for: nothing is under way at the end."""
    for _ in range(125):
        client.send('{"op":"ping"}')
        client.recv(timeout=60)


def test_too_many_messages_end_the_connection_for_good(api: Api) -> None:
    with opened(api) as client, pytest.raises(ConnectionClosed) as caught:
        ping_often(client)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_an_overlong_message_ends_the_connection(api: Api) -> None:
    with opened(api) as client:
        client.send("x" * (1 << 19))
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(timeout=20)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_rows_since_a_time_come_again_before_new_ones(api: Api, hub: LiveHub) -> None:
    told = [row(0, dataset="range"), row(1, dataset="range"), row(1, ETH, dataset="range"), row(2, dataset="range")]
    tell_before(api, hub, told)
    with opened(api) as client:
        asked = [{"dataset": "range", "exchange": "binance-futures", "interval": "1m", "symbols": [BTC]}]
        answer = ask(client, op="subscribe", id="s1", channels=asked, since=T + MINUTE)
        assert answer["replayed"] is True
        assert [received(client)["data"]["time"] for _ in range(2)] == [T + MINUTE, T + 2 * MINUTE]
        hub.tell([row(3, dataset="range")])
        assert received(client)["data"]["time"] == T + 3 * MINUTE


def test_more_rows_come_again_than_a_client_may_leave_unread(api: Api, hub: LiveHub) -> None:
    """Of two channels with more than that each; the second would follow while the first is not read."""
    times = {"trade_size": range(900, 4_900), "updownticks": range(900, 4_900)}
    for dataset, numbers in times.items():
        rows = [row(number, dataset=dataset, words="x" * 6_000) for number in numbers]
        for begin in range(0, len(rows), 500):
            hub.tell(rows[begin : begin + 500])
        hub.tell([row(4_900, dataset=dataset)])
    tell_before(api, hub, [row(4_900, dataset="run_structure")])
    with opened(api) as client:
        asked = [f"{dataset}.binance-futures.1m" for dataset in times]
        answer = ask(client, op="subscribe", id="s1", channels=asked, since=T + 900 * MINUTE)
        assert answer["replayed"] is True
        for number in range(4_901, 4_911):  # bars go on while a client that was slow catches up
            time.sleep(0.1)
            hub.tell([row(number, dataset=dataset) for dataset in times])
        found = [received(client) for _ in range(2 * 4_011)]
        for dataset in times:
            own = [each["data"]["time"] for each in found if each["channel"].startswith(dataset)]
            assert own == [T + number * MINUTE for number in range(900, 4_911)]
        hub.tell([row(4_911, dataset="updownticks")])
        assert received(client)["data"]["time"] == T + 4_911 * MINUTE


def test_a_server_that_ends_says_so(tmp_path: Path) -> None:
    with ExitStack() as ending:
        other = ending.enter_context(serving(tmp_path))
        with opened(other) as client:
            ending.close()
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(timeout=20)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001


def test_a_key_that_is_revoked_ends_its_connections(home: Path, api: Api) -> None:
    key = make_key(home, "pro")
    with opened(api, key) as client:
        with closing(Lake.open(Settings(home=home))) as lake, begin_write(lake.engine) as connection:
            public_id = public_id_of(key)
            assert public_id is not None
            revoke_key(connection, public_id)
        with pytest.raises(ConnectionClosed) as caught:
            read_to_the_end(client)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4001


def counted(api: Api, name: str) -> float:
    """Return the sum of the samples of a metric."""
    lines = httpx.get(api.url.removesuffix("/api/v1") + "/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def test_what_is_read_live_is_counted(api: Api, hub: LiveHub) -> None:
    before = counted(api, "aperiodic_live_delay_seconds_count")
    with opened(api) as client:
        ask(client, op="subscribe", id="s1", channels=["ohlcv.binance-futures.1m"])
        hub.tell([row(60), row(61), row(60, dataset="vtwap")])
        while received(client)["data"]["time"] < T + 61 * MINUTE:
            pass
        assert counted(api, "aperiodic_live_connections") >= 1
        assert counted(api, "aperiodic_live_delay_seconds_count") - before == 2  # of rows that somebody reads
        assert counted(api, "aperiodic_live_queued_bytes") >= counted(api, "aperiodic_live_longest_queue_bytes") >= 0
