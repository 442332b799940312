"""A client's WebSocket, as far as all venues treat it alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.mock.connection import Connection, Query
    from aperiodic.mock.messages import Message
    from aperiodic.mock.venue import VenueServer

__all__ = ["Session"]

_LIFE_OVER: Final = 1008


class Session:
    """One connection.

    Attributes:
        name: It, in the truth log.
        server: The exchange.
        connection: What carries it.
        streams: Names of what it is subscribed to, silent ones included.
        announced: Whether it was told that it will be cut.
    """

    ping_s: float | None = None
    """Time between two pings of the venue; None: it sends none."""

    pong_s: float = 60.0
    """The venue closes when a ping is not answered within this time."""

    def __init__(self, server: VenueServer, connection: Connection, query: Query, name: str) -> None:
        self.name = name
        self.server = server
        self.connection = connection
        self.streams: dict[str, None] = {}
        self._asked_as: dict[str, str] = {}
        self.announced = False
        self.url = query.target
        now = time.monotonic()
        self.opened_at = self.heard_at = self.told_at = self._pinged_at = now
        self._unanswered_since: float | None = None

    # What the connection calls.

    def opened(self) -> None:
        """Begin."""
        self.server.sessions[self.name] = self
        self.server.truth.event("open", self.server.exchange, connection=self.name, url=self.url)
        self.begin()

    def text(self, message: bytes) -> None:
        """Take a message of the client."""
        self.heard_at = time.monotonic()
        self.heard(message)

    def pinged(self) -> None:
        """Take that the client sent a ping."""

    def ponged(self, payload: bytes) -> None:
        """Take that the client answered a ping."""
        del payload
        self._unanswered_since = None

    def closed(self, code: int | None, by: str) -> None:
        """End."""
        self.server.forget(self)
        self.server.truth.event("close", self.server.exchange, connection=self.name, code=code, by=by)

    # What venues do in their own way.

    def begin(self) -> None:
        """Do what follows from the address."""

    def heard(self, message: bytes) -> None:
        """Take a message of the client."""
        raise NotImplementedError

    def frame(self, message: Message) -> bytes:
        """Return a message as this connection gets it: under the name that was asked for."""
        asked = self._asked_as.get(message.stream)
        return message.payload if asked is None else self.renamed(message, asked)

    @staticmethod
    def others(stream: str) -> Sequence[str]:
        """Return streams of the same form: recordings may have those instead of what is asked for today."""
        del stream
        return ()

    @staticmethod
    def renamed(message: Message, stream: str) -> bytes:
        """Return a frame as one of another stream of the same form."""
        del stream
        return message.payload

    def announce_end(self) -> None:
        """Tell the client that it will be cut soon."""

    def idle_for(self, now: float) -> float:
        """Return for how long the venue takes the connection to be idle, seconds; it is closed after `idle_s`."""
        return now - self.heard_at

    @property
    def idle_s(self) -> float | None:
        """The venue closes after so long without what it waits for; None: it does not."""
        return None

    def idled(self) -> None:
        """Close an idle connection as the venue does."""
        self.connection.cut(hard=False)

    def hears(self, message: Message) -> bool:
        """Whether a message is for this connection: not, where its class of host does not send the stream."""
        del message
        return True

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is one of the venue's sockets."""
        return bool(path)

    @staticmethod
    def is_of(stream: str, native: str) -> bool:
        """Whether a stream is one of an instrument; of any, when `native` is empty."""
        return not native or native in stream

    # What the exchange calls.

    def deliver(self, message: Message) -> bool:
        """Send a frame with the next `flush`; return whether it could be."""
        if not self.connection.open:
            return False
        self.connection.send(self.frame(message))
        return True

    def flush(self) -> None:
        """Send what was collected; one who does not read is cut off."""
        self.told_at = time.monotonic()
        self.connection.flush()
        if self.connection.unsent > self.server.settings.most_unsent:
            self.connection.cut(hard=True)

    def say(self, payload: bytes) -> None:
        """Send something that is not of the market at once."""
        if self.connection.open:
            self.connection.send(payload)
            self.flush()

    def junk(self, payload: bytes, kind: str) -> None:
        """Send a frame that means nothing, which is no UTF-8 or far too large."""
        self.say(payload)
        self.server.truth.event("junk", self.server.exchange, connection=self.name, kind=kind)

    def watch(self, now: float) -> None:
        """Send pings; close what is idle, does not answer, or has lived long enough."""
        timers, settings = self.server.settings.timers, self.server.settings
        life = settings.life_s if settings.life_s is not None else self.server.feed.limits.life_s
        if not self.connection.open:
            return
        if self.ping_s is not None and now - self._pinged_at >= self.ping_s * timers:
            self._pinged_at = now
            if self._unanswered_since is None:
                self._unanswered_since = now
            self.connection.ping(str(time.time_ns() // 1_000_000).encode())
        unanswered = self._unanswered_since
        if unanswered is not None and now - unanswered >= self.pong_s * timers:
            self.connection.cut(hard=False)
        elif life is not None and now - self.opened_at >= life:
            self.connection.close(_LIFE_OVER, "Connection lifetime is over")
        elif self.idle_s is not None and self.idle_for(now) >= self.idle_s * timers:
            self.idled()

    def take(self, stream: str) -> None:
        """Subscribe; where the market has another stream of the same form instead, that is sent under this name."""
        self.streams[stream] = None
        told = self._told_as(stream)
        if told != stream:
            self._asked_as[told] = stream
        self.server.subscribe(self, told)

    def drop(self, stream: str) -> None:
        """Unsubscribe."""
        self.streams.pop(stream, None)
        told = self._told_as(stream)
        if self._asked_as.get(told, stream) == stream:
            self._asked_as.pop(told, None)
            self.server.unsubscribe(self, told)

    def _told_as(self, stream: str) -> str:
        there = self.server.market.streams
        if stream in there:
            return stream
        # One that is asked for itself is not sent under another name too.
        return next((other for other in self.others(stream) if other in there and other not in self.streams), stream)

    def log(self, what: str, streams: list[str]) -> None:
        """Log a subscription, or the end of one."""
        self.server.truth.event(what, self.server.exchange, connection=self.name, streams=streams)
