"""Our own client against the server itself."""

from __future__ import annotations

import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.server.stream import rows, talking
from tests.server.stream.rows import BTC, ETH, MINUTE
from tests.server.stream.talking import tell_before

import aperiodic

if TYPE_CHECKING:
    from tests.servers import Api

    from aperiodic.engine.live import LiveHub, LiveRow

CHANNEL = "ohlcv.binance-futures.1m"
T = (time.time_ns() // 1000 // MINUTE - 60) * MINUTE
"""An hour ago."""
row = partial(rows.row, first=T)


def opened(api: Api, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> aperiodic.Stream:
    """The address of the API is enough."""
    monkeypatch.setenv("APERIODIC_API_URL", api.url)
    monkeypatch.delenv("APERIODIC_STREAM_URL", raising=False)
    return aperiodic.stream(**{"api_key": api.key, "channels": [CHANNEL], **asked})


def test_rows_since_a_time_come_before_new_ones(api: Api, hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_before(api, hub, [row(0), row(1), row(1, ETH), row(2)])
    named = {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1m", "symbols": [BTC], "channels": None}
    with opened(api, monkeypatch, **named, since=T + MINUTE, snapshot=False) as stream:
        messages = iter(stream)
        seen = [next(messages), next(messages)]
        hub.tell([row(3, ETH), row(3), row(1, revision=1)])
        seen += islice(messages, 2)
        frame = stream.frame()
    assert [(message.symbol, message.time_us, message.revision) for message in seen] == [
        (BTC, T + MINUTE, 0),
        (BTC, T + 2 * MINUTE, 0),
        (BTC, T + 3 * MINUTE, 0),
        (BTC, T + MINUTE, 1),
    ]
    assert stream.gaps == []
    assert frame["close"].to_list() == [101.5, 102.5, 103.5]
    assert frame["revision"].to_list() == [1, 0, 0]


def test_seconds_that_are_made_for_who_asks_reach_nobody_twice(api: Api, hub: LiveHub) -> None:
    """With the first reader of bars below a minute those of the last minutes are told, which files do not have yet."""
    start = time.time_ns() // 1_000_000_000 * 1_000_000

    def second(ago: int) -> LiveRow:
        made = rows.row(0, first=start - ago * 1_000_000)
        told = msgspec.json.decode(made.data) | {"interval": "1s"}
        of = {"interval": "1s", "clock": "true", "end": made.time + 1_000_000, "data": msgspec.json.encode(told)}
        return msgspec.structs.replace(made, **of)

    asked: dict[str, Any] = {"op": "subscribe", "id": "s", "channels": ["ohlcv.binance-futures.1s"]}
    with talking.opened(api) as new, talking.opened(api) as past:
        assert talking.ask(new, **asked)["rejected"] == []
        assert talking.ask(past, **asked, since=start - 90_000_000)["replayed"] is True
        hub.tell([second(ago) for ago in (120, 60, 30)])
        assert [talking.received(past)["data"]["time"] for _ in range(2)] == [start - 60_000_000, start - 30_000_000]
        with talking.opened(api) as later:
            assert talking.ask(later, **asked, since=start - 45_000_000)["replayed"] is True
            assert talking.received(later)["data"]["time"] == start - 30_000_000
            hub.tell([second(0)])
            for client in (new, past, later):
                assert talking.received(client)["data"]["time"] == start


def test_refusals_are_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(aperiodic.APIError) as caught:
        list(opened(api, monkeypatch, api_key="ap_live_0123456789abcdef_wrong"))
    assert caught.value.status_code == 401
    assert caught.value.code
    with pytest.raises(aperiodic.StreamSubscriptionError, match="ohlcv") as refused:
        list(opened(api, monkeypatch, channels=["ohlvc.binance-futures.1m"]))
    assert [item.code for item in refused.value.rejected] == ["unknown_channel"]


async def test_it_works_in_an_event_loop(api: Api, hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_before(api, hub, [row(number, dataset="flow") for number in range(10, 13)])
    asked = {"channels": ["flow.binance-futures.1m"], "since": T + 10 * MINUTE, "snapshot": False}
    async with opened(api, monkeypatch, **asked) as stream:
        frame = await stream.frame_async(3)
    assert frame["close"].to_list() == [110.5, 111.5, 112.5]
