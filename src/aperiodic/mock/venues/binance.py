"""How Binance treats a WebSocket.

| rule | futures | spot |
|---|---|---|
| streams of a connection | 1,024; the next is answered by an error and close 1008 | the same |
| messages of the client | 15 at once, then close 1008 | 5 a second, pings and pongs included |
| pings of the venue | every 3 min, pong within 10 min | every 20 s, pong within 60 s |
| a stream of the other class of host | acknowledged and silent | there is one class |
| an unknown stream | acknowledged and silent | the same |
"""

from __future__ import annotations

import re
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.market import Exchange
from aperiodic.mock.session import Session

if TYPE_CHECKING:
    from aperiodic.mock.connection import Connection, Query
    from aperiodic.mock.messages import Message
    from aperiodic.mock.venue import VenueServer

__all__ = ["BinanceSession", "class_of", "class_of_path"]

_PUBLIC: Final = ("trade", "bookTicker", "depth", "rpiDepth")
_PACES: Final = ("depth@0ms", "depth@100ms", "depth", "depth@500ms")
_MOST_STREAMS: Final = 1_024
_REFUSED: Final = 1008
_DATA: Final = b'"data":'
_PATH: Final = re.compile(r"(/public|/market)?(/stream|/ws(/.+)?)")
_TIME_MS: Final = re.compile(rb'("[ET]":)(\d{13})\b')


class BinanceSession(Session):
    """One connection."""

    def __init__(self, server: VenueServer, connection: Connection, query: Query, name: str) -> None:
        super().__init__(server, connection, query, name)
        self._spot = server.exchange is Exchange.BINANCE
        self.ping_s, self.pong_s = (20.0, 60.0) if self._spot else (180.0, 600.0)
        address = urlsplit(query.target)
        self._raw = not address.path.endswith("/stream")
        self._host = "" if self._spot else class_of_path(address.path)
        # Spot tells times in microseconds to those who ask for it.
        self._fine = self._spot and parse_qs(address.query).get("timeUnit", [""])[0].upper() == "MICROSECOND"
        self._from_address = _named(address.path, address.query)
        self._messages: deque[float] = deque()

    def begin(self) -> None:
        """Subscribe to what the address names."""
        self._subscribe(self._from_address, None)

    def heard(self, message: bytes) -> None:
        """Take a request."""
        if self._too_many():
            return
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._error(3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            self._error(2, "Invalid request: method must be a string", None)
            return
        number, params = request.get("id"), request.get("params", [])
        names = params if isinstance(params, list) and all(isinstance(name, str) for name in params) else None
        if request["method"] == "LIST_SUBSCRIPTIONS":
            self._result(list(self.streams), number)
        elif names is None:
            self._error(2, "Invalid request: params must be an array of strings", number)
        elif request["method"] == "SUBSCRIBE":
            self._subscribe(names, number)
        elif request["method"] == "UNSUBSCRIBE":
            for name in names:
                self.drop(name)
            self.log("unsubscribe", names)
            self._result(None, number)
        else:
            self._error(2, "Invalid request: unknown variant of method", number)

    def pinged(self) -> None:
        """Count a ping, where they count."""
        if self._spot:
            self._too_many()

    def ponged(self, payload: bytes) -> None:
        """Count a pong, where they count."""
        super().ponged(payload)
        if self._spot:
            self._too_many()

    def frame(self, message: Message) -> bytes:
        """Return a message with or without the wrapper that names its stream."""
        payload = super().frame(message)
        if self._fine:
            payload = _TIME_MS.sub(rb"\g<1>\g<2>000", payload)
        return payload[payload.index(_DATA) + len(_DATA) : -1] if self._raw else payload

    @staticmethod
    def others(stream: str) -> list[str]:
        """Return the other paces of a book."""
        name, _, channel = stream.partition("@")
        if channel not in _PACES:
            return []
        return [f"{name}@{pace}" for pace in _PACES if pace != channel]

    @staticmethod
    def renamed(message: Message, stream: str) -> bytes:
        """Return a frame as one of another stream."""
        return message.payload.replace(message.stream.encode(), stream.encode(), 1)

    def hears(self, message: Message) -> bool:
        """Whether this class of host sends the stream."""
        if self._spot:
            return True
        moved = self.server.trouble.state("wrong_class", message.native, message.stream)
        return (class_of(message.stream) == self._host) is (moved is None)

    def announce_end(self) -> None:
        """Send `serverShutdown`."""
        self.announced = True
        event = {"e": "serverShutdown", "E": self.server.now_us() // 1_000}
        self.say(msgspec.json.encode(event if self._raw else {"stream": "!serverShutdown", "data": event}))

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of the venue's sockets."""
        return _PATH.fullmatch(path) is not None

    @staticmethod
    def is_of(stream: str, native: str) -> bool:
        """Whether a stream is one of an instrument."""
        return not native or stream.partition("@")[0].upper() == native

    def _subscribe(self, names: list[str], number: object) -> None:
        if len(self.streams.keys() | set(names)) > _MOST_STREAMS:
            self._error(4, "Too many subscriptions", number)
            self.connection.close(_REFUSED, "Invalid request")
            return
        for name in names:
            self.take(name)
        if names:
            self.log("subscribe", names)
        if number is not None:
            self._result(None, number)

    def _result(self, result: object, number: object) -> None:
        self.say(msgspec.json.encode({"result": result, "id": number}))

    def _error(self, code: int, words: str, number: object) -> None:
        error = {"code": code, "msg": words}
        self.say(msgspec.json.encode(error if self._spot else {"error": error, "id": number}))

    def _too_many(self) -> bool:
        """Count something that the client sent; close when it is too much."""
        now, most = time.monotonic(), 5 if self._spot else 15
        while self._messages and self._messages[0] <= now - 1.0:
            self._messages.popleft()
        self._messages.append(now)
        if len(self._messages) <= most:
            return False
        self.connection.close(_REFUSED, "Too many requests")
        return True


@lru_cache(maxsize=10_000)
def class_of(stream: str) -> str:
    """Return the class of host of USD-M futures that sends a stream."""
    head, _, rest = stream.partition("@")
    channel = (head.removeprefix("!") if head.startswith("!") else rest).partition("@")[0]
    return "public" if channel.startswith(_PUBLIC) else "market"


def class_of_path(path: str) -> str:
    """Return the class of host that an address stands for; the addresses of former times are of `public`."""
    return "market" if "/market/" in path else "public"


def _named(path: str, query: str) -> list[str]:
    if path.endswith("/stream"):
        names = "/".join(parse_qs(query).get("streams", []))
    else:
        _, _, names = path.partition("/ws/")
    return [name for name in names.split("/") if name]
