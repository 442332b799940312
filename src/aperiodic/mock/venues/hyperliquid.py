"""How Hyperliquid treats a WebSocket.

| rule | source |
|---|---|
| one subscription a message, answered before its first frame | Hyperliquid, WebSocket |
| an unknown coin cuts the connection without a word, after some 100 ms | measured |
| twice the same subscription, or what cannot be read, is an error and nothing else | measured |
| 1,000 subscriptions, 2,000 messages a minute | Hyperliquid, Rate limits |
| closed after 60 s in which the server said nothing | Hyperliquid, Timeouts |
| `trades` begin with those of the last 50 s, states with the present one | recordings; measured |
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.mock.session import Session
from aperiodic.venues.hyperliquid.channels import FAST_BOOK

if TYPE_CHECKING:
    from aperiodic.mock.connection import Connection, Query
    from aperiodic.mock.messages import Message
    from aperiodic.mock.text_book import TextBook
    from aperiodic.mock.venue import VenueServer

__all__ = ["HyperliquidSession", "book_data"]

_OF_A_COIN: Final = frozenset({"trades", "bbo", "l2Book", "activeAssetCtx", "candle"})
_OF_ALL: Final = frozenset({"allMids", "fastAssetCtxs", "allDexsAssetCtxs", "outcomeMetaUpdates"})
_MOST_MESSAGES: Final = 2_000
_MINUTE_S: Final = 60.0
_DEATH_S: Final = 0.1
_BACKLOG: Final = 30
_BACKLOG_US: Final = 50_000_000
_LEVELS: Final = 20
_CANNOT_READ: Final = "Error parsing JSON into valid websocket request: "


class HyperliquidSession(Session):
    """One connection."""

    def __init__(self, server: VenueServer, connection: Connection, query: Query, name: str) -> None:
        super().__init__(server, connection, query, name)
        self._messages: deque[float] = deque()

    def heard(self, message: bytes) -> None:
        """Take a request."""
        now = time.monotonic()
        while self._messages and self._messages[0] <= now - _MINUTE_S:
            self._messages.popleft()
        self._messages.append(now)
        if len(self._messages) > _MOST_MESSAGES:
            self.connection.cut(hard=False)
            return
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        method = request.get("method") if isinstance(request, dict) else None
        wanted = request.get("subscription") if isinstance(request, dict) else None
        if method == "ping":
            self._answer("pong", None)
        elif method == "post" and isinstance(request, dict):
            self._post(request)
        elif method in {"subscribe", "unsubscribe"} and isinstance(wanted, dict):
            self._subscribe(method, wanted, message)
        else:
            self._answer("error", _CANNOT_READ + message[:200].decode("utf-8", "replace"))

    def idle_for(self, now: float) -> float:
        """Return for how long the server said nothing."""
        return now - self.told_at

    @property
    def idle_s(self) -> float | None:
        """As the feed tells."""
        return self.server.feed.heartbeat.idle_s

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of the venue's sockets."""
        return path == "/ws"

    @staticmethod
    def is_of(stream: str, native: str) -> bool:
        """Whether a stream is one of a coin."""
        return not native or stream.partition(":")[2] == native

    def _answer(self, channel: str, data: object) -> None:
        self.say(msgspec.json.encode({"channel": channel} if data is None else {"channel": channel, "data": data}))

    def _subscribe(self, method: str, wanted: dict[str, Any], message: bytes) -> None:
        kind, coin = wanted.get("type"), wanted.get("coin")
        if kind not in _OF_A_COIN | _OF_ALL or (kind in _OF_A_COIN and not isinstance(coin, str)):
            self._answer("error", _CANNOT_READ + message[:200].decode("utf-8", "replace"))
            return
        if kind in _OF_A_COIN and (
            not self.server.market.trades_in(str(coin)) or self.server.trouble.state("coin_kill", str(coin))
        ):
            asyncio.get_running_loop().call_later(_DEATH_S, self._die)
            return
        fast = kind == "l2Book" and wanted.get("fast") is True
        stream = f"{FAST_BOOK if fast else kind}:{coin or ''}"
        if method == "unsubscribe":
            self._answer("subscriptionResponse", {"method": method, "subscription": wanted})
            self.drop(stream)
            self.log(method, [stream])
            return
        if stream in self.streams:
            self._answer("error", "Already subscribed: " + msgspec.json.encode(wanted).decode())
            return
        if len(self.streams) >= self.server.feed.limits.streams:
            self._answer("error", "Cannot track more than 1000 total subscriptions.")
            return
        filled = {**wanted, "nSigFigs": None, "mantissa": None} if kind == "l2Book" else wanted
        self._answer("subscriptionResponse", {"method": method, "subscription": filled})
        self.take(stream)
        self.log(method, [stream])
        self._begin_stream(str(kind), stream)

    def _begin_stream(self, kind: str, stream: str) -> None:
        if kind == "trades":
            self._send_backlog(stream)
            return
        latest = self.server.market.latest.get(stream)
        if latest is not None and self.deliver(latest):
            self.server.truth.message("sent", self.server.exchange, latest, self.name, "repeated")

    def _send_backlog(self, stream: str) -> None:
        since = time.time_ns() // 1_000 - _BACKLOG_US
        recent: list[Message] = [each for each in self.server.market.recent.get(stream, ()) if each.due >= since][
            -_BACKLOG:
        ]
        if not recent:
            return
        trades = [trade for each in recent for trade in msgspec.json.decode(each.payload)["data"]]
        self._answer("trades", trades)
        for each in recent:
            self.server.truth.message("sent", self.server.exchange, each, self.name, "backlog")

    def _post(self, request: dict[str, Any]) -> None:
        inner = request.get("request")
        payload = inner.get("payload") if isinstance(inner, dict) else None
        coin = payload.get("coin") if isinstance(payload, dict) and payload.get("type") == "l2Book" else None
        book = self.server.market.books.get(str(coin))
        data = None if book is None else book_data(str(coin), book)
        response: dict[str, Any] = {"type": "info", "payload": {"type": "l2Book", "data": data}}
        if data is None:
            response = {"type": "error", "payload": "422 Unprocessable Entity"}
        self._answer("post", {"id": request.get("id"), "response": response})

    def _die(self) -> None:
        self.connection.cut(hard=False)


def book_data(coin: str, book: TextBook) -> dict[str, Any]:
    """Return a book as `l2Book` tells it."""
    sides = (book.bids(_LEVELS), book.asks(_LEVELS))
    levels = [[{"px": row[0], "sz": row[1], "n": int(row[2])} for row in side] for side in sides]
    return {"coin": coin, "time": book.time, "levels": levels}
