"""Talking to `/v1/stream` over a bare WebSocket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from tests.servers import Api

    from aperiodic.engine.live import LiveHub, LiveRow


def opened(api: Api, key: str | None = None, **headers: str) -> ClientConnection:
    url = api.url.replace("http", "ws").removesuffix("/api/v1") + "/v1/stream"
    return connect(url, additional_headers={"X-API-KEY": api.key if key is None else key} | headers, open_timeout=20)


def ask(client: ClientConnection, **message: Any) -> dict[str, Any]:
    client.send(json.dumps(message))
    return received(client)


def received(client: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.recv(timeout=20))
    return found


def tell_before(api: Api, hub: LiveHub, rows: list[LiveRow]) -> None:
    """Tell rows of one dataset, and return when the server has them: whoever comes now finds them told."""
    with opened(api) as witness:
        asked = [{"dataset": rows[0].dataset, "exchange": "binance-futures", "interval": "1m"}]
        assert ask(witness, op="subscribe", id="w", channels=asked)["rejected"] == []
        hub.tell(rows)
        last = rows[-1]
        while True:
            data = received(witness)["data"]
            if (data["symbol"], data["time"], data["revision"]) == (last.symbol, last.time, last.revision):
                return
