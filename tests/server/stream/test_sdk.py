"""Our own client against the server itself."""

from __future__ import annotations

import time
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.stream import rows
from tests.server.stream.rows import BTC, ETH, MINUTE
from tests.server.stream.talking import tell_before

import aperiodic

if TYPE_CHECKING:
    from tests.servers import Api

    from aperiodic.engine.live import LiveHub

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
