"""Recordings told again: frames as they were, at their own pace or faster, with their own times or as if it were now.

Order books are kept from the recorded snapshots and changes, so that a snapshot that is asked for agrees with the
stream at that moment. Of two connections that recorded the same frame, one is told.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.engine.importing.files import Lines, SourceFile
from aperiodic.engine.importing.lines import read_line
from aperiodic.market import Exchange, InvalidInputError
from aperiodic.mock.messages import Message, Times
from aperiodic.mock.wire import wire_of
from aperiodic.venues import RejectedFrameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["RecordedSource"]

_MOST_REMEMBERED: Final = 20_000
_MOST_ANSWER: Final = 32 << 20


class _Recorded(NamedTuple):
    """A line of a recording that holds something of the venue.

    Attributes:
        local: When it arrived, µs; None where the line does not say.
        connection: Of which connection; empty where recordings do not tell.
        frame: What arrived.
        url: Where an answer came from; empty for frames.
    """

    local: int | None
    connection: str
    frame: bytes
    url: str = ""


class RecordedSource:
    """One or more recordings of one exchange, told together in the order of their arrival times.

    Attributes:
        exchange: Whose.
        waits: True: nothing of a recording is to be told before somebody listens.
    """

    waits = True

    def __init__(self, exchange: Exchange, files: Sequence[Path], *, speed: float = 1.0, shift: bool = False) -> None:
        """Prepare to tell recordings.

        Args:
            exchange: Whose they are.
            files: Recordings, and answers that list instruments.
            speed: How many times faster than they were recorded.
            shift: Whether exchange times are moved, so that the market seems to be live; numbers stay.

        Raises:
            InvalidInputError: `bad_speed`.
        """
        if not 0 < speed < float("inf"):
            raise InvalidInputError(f"{speed} is no speed.", code="bad_speed", hint="Give a number above 0.")
        self.exchange = exchange
        self._wire = wire_of(exchange)
        self._paths = list(files)
        self._speed = speed
        self._shift = shift
        self._files: list[SourceFile] = []
        self._streams: set[str] = set()
        self._natives: set[str] = set()
        self._instruments: dict[str, bytes] = {}
        self._origin: int | None = None
        self._first_books: dict[Path, str] = {}

    def prepare(self) -> None:
        """Read the recordings once, for what is in them.

        Raises:
            InvalidInputError: `nothing_recorded` when no line is of this exchange.
        """
        if self._files:
            return
        self._files = [SourceFile.look_at(path) for path in self._paths]
        for file in self._files:
            for line in _lines(file):
                self._look_at(line, file.path)
        if self._origin is None:
            raise InvalidInputError(
                f"The recordings hold nothing of {self.exchange}.",
                code="nothing_recorded",
                hint="Give files of frames, each line its arrival time and the frame.",
            )
        if not self._instruments:
            self._instruments = self._guessed()

    def instruments(self) -> Mapping[str, bytes]:
        """Return the recorded answers, or guesses where none was recorded."""
        return self._instruments

    def streams(self) -> frozenset[str]:
        """Return the names of the recorded streams."""
        return frozenset(self._streams)

    def natives(self) -> frozenset[str]:
        """Return the instruments of the recorded streams."""
        return frozenset(self._natives)

    def begin(self, now: int) -> Iterator[Message]:
        """Tell everything from the first line on."""
        times = Times(self._origin or 0, now, self._speed, self._shift)
        told = heapq.merge(*(self._messages(file, times) for file in self._files), key=attrgetter("due"))
        return _without_repeats(told)

    def _messages(self, file: SourceFile, times: Times) -> Iterator[_Told]:
        wire = wire_of(self.exchange)
        wire.assume(self._first_books.get(file.path, ""))
        due = times.now
        for line in _lines(file):
            due = due if line.local is None else times.due(line.local)
            frame = wire.move(line.frame, times) if times.shift else line.frame
            try:
                said = wire.read_answer(line.url, frame) if line.url else wire.read(frame)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
                continue
            if said is not None:
                yield _Told(due, line.connection, Message(due, *said))

    def _look_at(self, line: _Recorded, path: Path) -> None:
        of = _listing(line.url, line.frame)
        if of is not None:
            self._instruments[of] = line.frame
            return
        try:
            said = self._wire.read_answer(line.url, line.frame) if line.url else self._wire.read(line.frame)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            return
        if said is None:
            return
        if line.local is not None and said.stream:
            self._origin = line.local if self._origin is None else min(self._origin, line.local)
        if said.change is not None:
            self._first_books.setdefault(path, said.native)
        if said.stream:
            self._streams.add(said.stream)
        if not said.stream.startswith("!"):
            self._natives.add(said.native)

    def _guessed(self) -> dict[str, bytes]:
        natives = sorted(self._natives)
        if self.exchange is Exchange.HYPERLIQUID_PERPS:
            universe = [{"name": native, "szDecimals": 5, "maxLeverage": 40} for native in natives]
            return {"meta": msgspec.json.encode({"universe": universe})}
        if self.exchange is Exchange.OKX_PERPS:
            return {}
        return {"exchangeInfo": msgspec.json.encode({"symbols": [self._listed(native) for native in natives]})}

    def _listed(self, native: str) -> dict[str, Any]:
        base, _, _ = native.partition("USD")
        listed: dict[str, Any] = {
            "symbol": native,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": native.removeprefix(base),
            "filters": [],
        }
        if self.exchange is Exchange.BINANCE:
            return listed
        return listed | {"pair": native, "contractType": "PERPETUAL", "marginAsset": native.removeprefix(base)}


class _Told(NamedTuple):
    """A message with the connection that recorded it."""

    due: int
    connection: str
    message: Message


def _without_repeats(told: Iterator[_Told]) -> Iterator[Message]:
    """Leave out what a second connection recorded too."""
    seen: OrderedDict[tuple[str, bytes], str] = OrderedDict()
    for _, connection, message in told:
        if connection:
            key = (message.stream, message.payload)
            if seen.setdefault(key, connection) != connection:
                continue
            if len(seen) > _MOST_REMEMBERED:
                seen.popitem(last=False)
        yield message


def _lines(file: SourceFile) -> Iterator[_Recorded]:
    for _, batch in Lines(file):
        for line in batch:
            recorded = _read(line)
            if recorded is not None and recorded.frame:
                yield recorded


def _read(line: bytes) -> _Recorded | None:
    """Read a line; None when it holds nothing of the venue."""
    try:
        read = read_line(line)
    except RejectedFrameError:
        return None
    if read.told or read.ignored:
        return None
    # An answer came over no connection of which there may be two.
    return _Recorded(read.local, "" if read.url else read.connection, read.frame, read.url)


def _listing(url: str, frame: bytes) -> str | None:
    """Return what instruments an answer lists, as it is asked for; None when it lists none."""
    if len(frame) > _MOST_ANSWER:
        return None
    if url.partition("?")[0].endswith("/exchangeInfo"):
        return "exchangeInfo"
    if url.partition("?")[0].endswith("/public/instruments"):
        return parse_qs(urlsplit(url).query).get("instType", [""])[0]
    return "meta" if url.endswith("/info") and frame.startswith(b'{"universe"') else None
