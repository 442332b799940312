"""When each series was recorded, told by the recorder: connections that open and close, streams that prove themselves.

| line | what follows |
|---|---|
| `!open {"streams": […]}` | the streams are asked for; nothing is proven |
| `!live {"streams": […]}`, or the first tick of a stream | it is recorded from here on |
| `!live {…, "acknowledged": […]}` | it was since then (ns; 0: not known), as nothing came before; a book only where another connection carried it until then |
| `!silent {"streams": […]}` | it is not recorded since its last tick: `stale` |
| `!gap {"from": …, "to": …, "streams": […], "cause": …}` | what came between was not kept |
| `!close {"reason": …, "by": …}` | it was recorded until the connection's last frame; until the line itself, where the recorder meant to end it |

Where two connections carry the same stream, it was recorded when either did.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from aperiodic.completeness.recorded import ANY_STREAM, Recorded, join_recorded
from aperiodic.market import DAY_US, Stream, Symbol
from aperiodic.venues import RejectedFrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aperiodic.engine.importing.stream_names import ToldStream

__all__ = ["Connections"]

_MOST_CONNECTIONS: Final = 10_000
_PATIENCE_US: Final = 60_000_000
"""A connection of the file before that is not heard of for this long ended with that file."""

_CAUSES: Final = {"stale": "stale", "disk": "disk_full", "dropped": "dropped"}
"""Causes by a word in the recorder's reason; any other end that it did not mean is a `disconnect`."""
_US: Final = "us"
_ENDS_OF_OURS: Final = frozenset({"handed over", "capture ends"})
"""Reasons for which a recorder ends a connection that lives: it is recorded until then, however quiet it was."""

Series = tuple[Stream, Symbol]


class _Told(msgspec.Struct, rename={"since": "from", "until": "to"}):
    """What may follow the word of a line."""

    streams: list[str] = msgspec.field(default_factory=list)
    acknowledged: list[int] = msgspec.field(default_factory=list)
    reason: str = ""
    by: str = ""
    cause: str = ""
    continued: bool = False
    since: int = 0
    until: int = 0


_DECODER: Final = msgspec.json.Decoder(_Told)


@dataclass(slots=True)
class _Stream:
    """One stream of a connection.

    Attributes:
        told: What it becomes.
        since: Recorded from here on, as far as it is not taken yet, µs; None while it is not proven.
        begins: Why not earlier.
        seen: Arrival of its last tick, µs; 0 before the first.
        dropped: Until when frames of it were dropped before it was proven, µs.
    """

    told: ToldStream
    since: int | None = None
    begins: str = ""
    seen: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Connection:
    """A connection.

    Attributes:
        opened: When, µs.
        last: Arrival of its latest frame, µs.
        streams: By name.
        continued: Whether it was opened before the file in which it was first told of.
    """

    opened: int
    last: int = 0
    streams: dict[str, _Stream] = field(default_factory=dict)
    continued: bool = False


class Ticks(Protocol):
    """What has been read."""

    def arrivals(self, stream: Stream, symbol: Symbol, since: int) -> tuple[int, int] | None:
        """Return when the first tick of a series from `since` (µs) on arrived, and the last one; None without any."""

    def symbols(self, stream: Stream) -> set[Symbol]:
        """Return the instruments of which a stream has come."""


class Connections:
    """Follows the connections of one recorder through one file or several.

    Attributes:
        shares: Whether two connections carry the same stream, as while one takes over from another.
        has_news: Whether the recorder has told anything since `take`.
    """

    def __init__(self, read_name: Callable[[str], ToldStream | None], ticks: Ticks) -> None:
        """Begin without any.

        Args:
            read_name: Tells what a stream becomes.
            ticks: What has been read since the last time.
        """
        self.shares = self.has_news = False
        self._read_name = read_name
        self._ticks = ticks
        self._open: dict[str, _Connection] = {}
        self._carried: dict[str, _Connection] = {}
        self._ended: dict[str, str] = {}
        self._until: dict[str, int] = {}
        self._done: defaultdict[Series, list[Recorded]] = defaultdict(list)

    def see(self, name: str, local: int) -> None:
        """Take the arrival of a frame, µs."""
        connection = self._open.get(name) or self._resumed(name)
        if connection is not None and local > connection.last:
            connection.last = local

    def tell(self, name: str, local: int, word: str, body: bytes) -> None:
        """Take what the recorder tells of a connection.

        Raises:
            RejectedFrameError: `malformed` when it cannot be read.
        """
        try:
            told = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None
        self.has_news = True
        if word == "open":
            self._opened(name, local, told)
            self._compare()
            return
        connection = self._open.get(name) or self._resumed(name)
        if connection is None:
            return
        if word == "close":
            if told.by == _US and told.reason in _ENDS_OF_OURS:
                connection.last = max(connection.last, local)
            self._close(name, _cause_of_end(told.reason, told.by))
            self._compare()
        elif word == "live":
            self._live(connection, told, local)
        elif word == "silent":
            self._silent(connection, told.streams)
        elif word == "gap":
            self._gap(connection, told)

    def end_file(self, *, whole: bool = True) -> None:
        """Take that a file ends: its connections may go on in the next one.

        Args:
            whole: Whether it was sealed; if not, its recorder was killed and all connections ended with their last frame.
        """
        if not whole:
            self.close_all("")
            return
        self._carried |= self._open
        self._open = {}

    def close_all(self, cause: str, *, pad_us: int = 0) -> None:
        """End all connections with their last frames.

        Args:
            cause: Why they ended; empty where the recording simply ends.
            pad_us: For how long after them nothing can have been missed, µs.
        """
        for connections in (self._open, self._carried):
            for connection in connections.values():
                self._finish(connection, cause, pad_us)
            connections.clear()

    def take(self, known: int) -> dict[tuple[str, str], list[Recorded]]:
        """Return when each series was recorded since the last time, by symbol and stream.

        Args:
            known: Arrival of the last line read, µs.
        """
        for name, connection in list(self._carried.items()):
            if known > max(connection.last, connection.opened) + _PATIENCE_US:
                self._finish(self._carried.pop(name), "")
                self._compare()
        for connection in (*self._open.values(), *self._carried.values()):
            for stream in connection.streams.values():
                self._advance(connection, stream)
        result: dict[tuple[str, str], list[Recorded]] = {}
        together: defaultdict[str, list[Recorded]] = defaultdict(list)
        for (stream_name, symbol), pieces in self._done.items():
            joined = join_recorded(pieces)
            result[str(symbol), stream_name] = joined
            together[str(symbol)] += joined
        for instrument, pieces in together.items():
            result[instrument, ANY_STREAM] = [
                Recorded(piece.covers_from, piece.covers_to, piece.first_time, piece.last_time)
                for piece in join_recorded(pieces)
            ]
        self._done.clear()
        self.has_news = False
        return result

    def carried_by(self, stream: Stream, symbol: Symbol) -> int:
        """Return how many streams that were asked for become ticks of a series."""
        found = {
            name
            for connection in (*self._open.values(), *self._carried.values())
            for name, item in connection.streams.items()
            if stream in item.told.streams and item.told.symbol in {None, symbol}
        }
        return len(found)

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values of JSON; what is not taken yet is left out."""
        return {
            "open": {name: _dumped(connection) for name, connection in self._open.items()},
            "carried": {name: _dumped(connection) for name, connection in self._carried.items()},
            "ended": dict(self._ended),
            "until": dict(self._until),
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Know what `dump` returned."""
        self._open = {name: self._restored(item) for name, item in dumped.get("open", {}).items()}
        self._carried = {name: self._restored(item) for name, item in dumped.get("carried", {}).items()}
        self._ended = dict(dumped.get("ended", {}))
        self._until = dict(dumped.get("until", {}))
        self._compare()

    def _compare(self) -> None:
        """See whether two connections carry the same stream."""
        names = [name for each in (*self._open.values(), *self._carried.values()) for name in each.streams]
        self.shares = len(names) > len(set(names))

    def _restored(self, dumped: Mapping[str, Any]) -> _Connection:
        streams = {
            name: _Stream(told, *state[:4])
            for name, state in dumped["streams"].items()
            if (told := self._read_name(name)) is not None
        }
        return _Connection(dumped["opened"], dumped["last"], streams, continued=dumped["continued"])

    def _opened(self, name: str, local: int, told: _Told) -> None:
        before = self._open.pop(name, None) or self._carried.pop(name, None)
        if before is not None and not told.continued:
            self._finish(before, "disconnect")
            before = None
        if before is None and len(self._open) >= _MOST_CONNECTIONS:
            self._close(next(iter(self._open)), "")
        connection = before or _Connection(local, continued=told.continued)
        self._open[name] = connection
        for stream in told.streams:
            if stream not in connection.streams and (read := self._read_name(stream)) is not None:
                connection.streams[stream] = _Stream(read, begins=self._ended.get(stream, ""))

    def _resumed(self, name: str) -> _Connection | None:
        """Return a connection of the file before that goes on under the same name."""
        connection = self._carried.pop(name, None)
        if connection is not None:
            self._open[name] = connection
        return connection

    def _live(self, connection: _Connection, told: _Told, local: int) -> None:
        connection.last = max(connection.last, local)
        acknowledged = dict(zip(told.streams, told.acknowledged, strict=False))
        for name in told.streams:
            stream = connection.streams.get(name)
            if stream is None and (read := self._read_name(name)) is not None:
                stream = connection.streams[name] = _Stream(read, begins=self._ended.get(name, ""))
            if stream is None:
                continue
            since = max(acknowledged.get(name, 0) // 1_000, stream.dropped)
            is_known = acknowledged.get(name, 0) > 0 and connection.opened <= since < local
            if Stream.BOOK in stream.told.streams:
                is_known &= self._went_on(connection, name, since)
            if stream.since is not None:
                if is_known and since < stream.since:
                    self._put_piece(stream, since, stream.since, self._ended.get(name, ""), "")
                continue
            # The recorder says so a moment after the first frame came, but at once of what goes on from another file.
            stream.since = since if is_known else local
            for series in self._series_of(stream.told) if not connection.continued or stream.seen else ():
                bounds = self._ticks.arrivals(*series, stream.seen + 1 if stream.seen else connection.opened)
                if bounds is not None:
                    stream.since = min(stream.since, bounds[0])

    def _went_on(self, connection: _Connection, name: str, since: int) -> bool:
        """Whether another connection carried a stream up to a time, so that a book did not have to begin anew."""
        others = (other for each in (self._open, self._carried) for other in each.values() if other is not connection)
        return self._until.get(name, 0) >= since or any(
            name in other.streams and other.streams[name].since is not None for other in others
        )

    def _silent(self, connection: _Connection, names: Iterable[str]) -> None:
        for name in names:
            stream = connection.streams.get(name)
            if stream is None:
                continue
            self._look(connection, stream)
            if stream.since is not None:
                self._put(stream, max(stream.seen, stream.since), "stale")
            stream.since, stream.begins = None, "stale"
            self._ended[name] = "stale"

    def _gap(self, connection: _Connection, told: _Told) -> None:
        begin, end = told.since // 1_000, told.until // 1_000
        cause = _cause_of_gap(told.cause)
        for name in told.streams or list(connection.streams):
            stream = connection.streams.get(name)
            if stream is None:
                continue
            self._look(connection, stream)
            if stream.since is None:
                stream.dropped = max(stream.dropped, end)
            if stream.since is None or end < stream.since:
                continue
            if begin >= stream.since:
                self._put(stream, begin, cause)
            stream.since, stream.begins = end, cause
        connection.last = max(connection.last, end)

    def _close(self, name: str, cause: str) -> None:
        self._finish(self._open.pop(name), cause)

    def _finish(self, connection: _Connection, cause: str, pad_us: int = 0) -> None:
        for name, stream in connection.streams.items():
            self._look(connection, stream)
            if stream.since is not None or name in self._ended:
                self._ended[name] = cause
            if stream.since is not None:
                stale = cause == "stale" and stream.told.pulse_us is not None
                last = max(stream.seen, stream.since) if stale else connection.last
                self._put(stream, last, cause, pad_us)
                self._until[name] = max(last, self._until.get(name, 0))

    def _look(self, connection: _Connection, stream: _Stream) -> None:
        """See which ticks of a stream have come."""
        since = stream.since
        if since is None:
            since = stream.seen + 1 if stream.seen else connection.opened
        for series in self._series_of(stream.told):
            bounds = self._ticks.arrivals(*series, since)
            if bounds is None or bounds[0] > connection.last:
                continue
            if stream.since is None:
                stream.since = bounds[0]
            stream.seen = max(stream.seen, min(bounds[1], connection.last))

    def _advance(self, connection: _Connection, stream: _Stream) -> None:
        """Take over what is certain by now of a stream that goes on."""
        self._look(connection, stream)
        if stream.since is None:
            return
        # Whether a stream with a pulse still lives is known when it beats again.
        last = connection.last if stream.told.pulse_us is None else max(stream.seen, stream.since)
        if last > stream.since or stream.begins:
            self._put(stream, last, "")
            stream.since, stream.begins = last, ""

    def _put(self, stream: _Stream, last: int, ends: str, pad_us: int = 0) -> None:
        if stream.since is not None and last >= stream.since:
            self._put_piece(stream, stream.since, last, stream.begins, ends, pad_us)

    def _put_piece(self, stream: _Stream, begin: int, last: int, begins: str, ends: str, pad_us: int = 0) -> None:
        quiet = DAY_US if stream.told.pulse_us is None else 0
        piece = Recorded(begin, last + pad_us, begin, last, quiet, begins, ends)
        for series in self._series_of(stream.told):
            self._done[series].append(piece)

    def _series_of(self, told: ToldStream) -> list[Series]:
        if told.symbol is not None:
            return [(stream, told.symbol) for stream in told.streams]
        return [(stream, symbol) for stream in told.streams for symbol in self._ticks.symbols(stream)]


def _dumped(connection: _Connection) -> dict[str, Any]:
    return {
        "opened": connection.opened,
        "continued": connection.continued,
        "last": connection.last,
        "streams": {
            name: [stream.since, stream.begins, stream.seen, stream.dropped]
            for name, stream in connection.streams.items()
        },
    }


def _cause_of_end(reason: str, by: str) -> str:
    words = reason.lower()
    for word, cause in _CAUSES.items():
        if word in words:
            return cause
    return "" if by == _US else "disconnect"


def _cause_of_gap(cause: str) -> str:
    words = cause.lower()
    return next((known for word, known in _CAUSES.items() if word in words), words[:32] or "dropped")
