"""Our own client against the server itself."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.servers import Api, serving

import aperiodic
from aperiodic.engine.live import LiveHub, LiveRow
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTE = 60_000_000
BTC, ETH = "perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"
CHANNEL = "ohlcv.binance-futures.1m"
T = (time.time_ns() // 1000 // MINUTE - 60) * MINUTE
"""An hour ago."""


def row(number: int, symbol: str = BTC, revision: int = 0) -> LiveRow:
    begin = T + number * MINUTE
    data = {"symbol": symbol, "interval": "1m", "time": begin, "close": 100.5 + number, "complete": True}
    told = msgspec.json.encode(data | {"revision": revision})
    series = ("ohlcv", "binance-futures", "1m", "exchange")
    return LiveRow(*series, symbol, begin, begin + MINUTE, now_us(), revision, complete=True, data=told)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def hub(home: Path) -> Iterator[LiveHub]:
    with LiveHub(home) as made:
        yield made


@pytest.fixture(scope="module")
def api(home: Path, hub: LiveHub) -> Iterator[Api]:
    with serving(home) as running:
        deadline = time.monotonic() + 30
        while not hub.readers and time.monotonic() < deadline:
            time.sleep(0.02)
        yield running


def opened(api: Api, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> aperiodic.Stream:
    """The address of the API is enough."""
    monkeypatch.setenv("APERIODIC_API_URL", api.url)
    monkeypatch.delenv("APERIODIC_STREAM_URL", raising=False)
    return aperiodic.stream(**{"api_key": api.key, "channels": [CHANNEL], **asked})


def test_rows_since_a_time_come_before_new_ones(api: Api, hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.tell([row(0), row(1), row(1, ETH), row(2)])
    named = {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1m", "symbols": [BTC], "channels": None}
    with opened(api, monkeypatch, **named, since=T + MINUTE, snapshot=False) as stream:
        rows = iter(stream)
        seen = [next(rows), next(rows)]
        hub.tell([row(3, ETH), row(3), row(1, revision=1)])
        seen += islice(rows, 2)
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


async def test_it_works_in_an_event_loop(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(api, monkeypatch, since=T) as stream:
        frame = await stream.frame_async(3)
    assert frame.height == 3
