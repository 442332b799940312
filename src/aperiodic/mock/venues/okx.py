"""How OKX treats a WebSocket.

| rule | source |
|---|---|
| each argument is acknowledged; a channel that the class of host does not have is an error 60018 | OKX, WebSocket |
| 480 subscriptions and ends of them an hour, arguments of 64 KiB a message | the same |
| `ping` is answered `pong`; after 30 s without anything from either side it is closed | the same; measured |
| `books` begins with the whole book, unless the fault `no_snapshot` is on | measured until September 2026 |
| channels of states begin with the present one | the same |
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from aperiodic.mock.session import Session
from aperiodic.mock.text_book import checksum
from aperiodic.mock.wire.okx import ALIASES, BOOK_CHANNELS, renamed

if TYPE_CHECKING:
    from aperiodic.mock.connection import Connection, Query
    from aperiodic.mock.messages import Message
    from aperiodic.mock.venue import VenueServer

__all__ = ["OkxSession"]

_BUSINESS: Final = ("trades-all", "candle", "mark-price-candle", "index-candle")
_STATES: Final = frozenset({"mark-price", "index-tickers", "funding-rate", "open-interest"})
_MOST_AN_HOUR: Final = 480
_HOUR_S: Final = 3_600.0
_MOST_BYTES: Final = 1 << 16
_IDLE_CODE: Final = 4004
_LEVELS: Final = 400


class OkxSession(Session):
    """One connection."""

    def __init__(self, server: VenueServer, connection: Connection, query: Query, name: str) -> None:
        super().__init__(server, connection, query, name)
        self._business = urlsplit(query.target).path.endswith("/business")
        self._id = secrets.token_hex(4)
        self._used: list[float] = []

    def heard(self, message: bytes) -> None:
        """Take a request."""
        if message == b"ping":
            self.say(b"pong")
            return
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        what = request.get("op") if isinstance(request, dict) else None
        arguments = request.get("args") if isinstance(request, dict) else None
        if what not in {"subscribe", "unsubscribe"} or not isinstance(arguments, list) or len(message) > _MOST_BYTES:
            self._error("60012", f"Invalid request: {message[:200].decode('utf-8', 'replace')}", None)
            return
        number = request.get("id") if isinstance(request, dict) else None
        taken = [name for argument in arguments if (name := self._argument(what, argument, number))]
        self.log(what, taken)

    @staticmethod
    def others(stream: str) -> list[str]:
        """Return the channels of former times, or of those who log in."""
        channel, _, native = stream.partition(":")
        return [f"{other}:{native}" for other in ALIASES.get(channel, ())]

    @staticmethod
    def renamed(message: Message, stream: str) -> bytes:
        """Return a frame as one of another channel."""
        return renamed(message.payload, message.stream.partition(":")[0], stream.partition(":")[0])

    def announce_end(self) -> None:
        """Send the notice 64008."""
        self.announced = True
        words = "The connection will soon be closed for a service upgrade. Please reconnect."
        self.say(msgspec.json.encode({"event": "notice", "code": "64008", "msg": words, "connId": self._id}))

    def idle_for(self, now: float) -> float:
        """Return for how long neither side said anything."""
        return now - max(self.heard_at, self.told_at)

    @property
    def idle_s(self) -> float | None:
        """As the feed tells."""
        return self.server.feed.heartbeat.idle_s

    def idled(self) -> None:
        """Close with a code of OKX' own."""
        self.connection.close(_IDLE_CODE, "No data received in 30s.")

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of the venue's sockets."""
        return path in {"/ws/v5/public", "/ws/v5/business"}

    @staticmethod
    def is_of(stream: str, native: str) -> bool:
        """Whether a stream is one of an instrument, or of its index."""
        return not native or stream.partition(":")[2] in {native, native.removesuffix("-SWAP")}

    def _argument(self, what: str, argument: object, number: object) -> str | None:
        """Take one argument; return the name of its stream, None when it was refused."""
        wanted = argument if isinstance(argument, dict) else {}
        channel = wanted.get("channel")
        if not isinstance(channel, str):
            self._error("60012", "Invalid request", number)
            return None
        if channel.startswith(_BUSINESS) is not self._business:
            self._error("60018", f"Wrong URL or channel:{channel} doesn't exist. Please use the correct URL", number)
            return None
        if self._too_often():
            self._error("50011", "Too many requests: subscriptions of this hour are used up", number)
            return None
        native = str(wanted.get("instId", ""))
        name = f"{channel}:{native}"
        echo = {} if number is None else {"id": number}
        self.say(msgspec.json.encode({**echo, "event": what, "arg": argument, "connId": self._id}))
        count = {"event": "channel-conn-count", "channel": channel, "connCount": "1", "connId": self._id}
        if what == "unsubscribe":
            self.drop(name)
            return name
        self.say(msgspec.json.encode(count))
        self.take(name)
        self._begin_stream(channel, native, name)
        return name

    def _begin_stream(self, channel: str, native: str, name: str) -> None:
        latest = self.server.market.latest.get(name)
        if channel in _STATES and latest is not None:
            self.deliver(latest)
            self.server.truth.message("sent", self.server.exchange, latest, self.name, "repeated")
        elif channel in BOOK_CHANNELS and not self.server.trouble.state("no_snapshot", native):
            self._send_book(channel, native)

    def _send_book(self, channel: str, native: str) -> None:
        book = self.server.market.books.get(native)
        if book is None or not book.known:
            return
        bids, asks = book.bids(_LEVELS), book.asks(_LEVELS)
        data: dict[str, Any] = {"asks": asks, "bids": bids, "ts": str(book.time)}
        if book.number is None:
            data["checksum"] = checksum(bids, asks)
        else:
            data |= {"checksum": 0, "seqId": book.number - self.server.lowered(native), "prevSeqId": -1}
        self.say(
            msgspec.json.encode({"arg": {"channel": channel, "instId": native}, "action": "snapshot", "data": [data]})
        )
        number = data.get("seqId")
        self.server.truth.event("snapshot", self.server.exchange, connection=self.name, symbol=native, number=number)

    def _too_often(self) -> bool:
        now = time.monotonic()
        self._used = [at for at in self._used if at > now - _HOUR_S]
        if len(self._used) >= _MOST_AN_HOUR:
            return True
        self._used.append(now)
        return False

    def _error(self, code: str, words: str, number: object) -> None:
        echo = {} if number is None else {"id": number}
        self.say(msgspec.json.encode({**echo, "event": "error", "code": code, "msg": words, "connId": self._id}))
