"""A simulated market told live: the present day of the simulator, from now on and through every midnight."""

from __future__ import annotations

import heapq
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from aperiodic.market import DAY_US, InvalidInputError, Stream
from aperiodic.market.time import day_start_us
from aperiodic.mock.messages import Message
from aperiodic.mock.wire import wire_of
from aperiodic.simulate import MarketSpec, streams_of
from aperiodic.simulate.book import book_frame, book_ticks
from aperiodic.simulate.latency import MAX_DELAY_US
from aperiodic.simulate.market import frames_of
from aperiodic.simulate.session import Session
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from aperiodic.market import Exchange
    from aperiodic.mock.wire.model import Encoder

__all__ = ["SimulatedSource"]

_ROWS: Final = 2_000
_FIRST_ROWS: Final = 3
_STATES: Final = frozenset(
    {Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST, Stream.MARK_PRICE, Stream.BOOK}
)
_LEAD_US: Final = 3_600_000_000
"""The next day is made so long before it begins."""

# What is told in one message with others comes after them.
_ORDER: Final = (
    Stream.INDEX_PRICE,
    Stream.FUNDING_RATE,
    Stream.OPEN_INTEREST,
    Stream.MARK_PRICE,
    Stream.TRADES,
    Stream.QUOTES,
    Stream.BOOK,
)


class SimulatedSource:
    """Simulated instruments of one exchange.

    Attributes:
        exchange: Whose habits are imitated.
        waits: False: the market is there, whoever listens.
    """

    waits = False

    def __init__(self, specs: Sequence[MarketSpec], *, day: date | None = None) -> None:
        """Prepare to tell a simulated market.

        Args:
            specs: Its instruments, all of one exchange.
            day: The first day; None: today.

        Raises:
            InvalidInputError: `no_instruments`, or `several_exchanges`.
        """
        exchanges = {spec.exchange for spec in specs}
        if len(exchanges) != 1:
            raise InvalidInputError(
                "A simulated source needs instruments of one exchange.",
                code="several_exchanges" if exchanges else "no_instruments",
                hint="Make a source for each exchange.",
            )
        self.exchange: Exchange = exchanges.pop()
        self._specs = list(specs)
        self._wire = wire_of(self.exchange)
        self._first_day = day
        self._made: dict[date, list[_Day]] = {}

    def prepare(self) -> None:
        """Make the present day."""
        day = self._first_day or datetime.now(UTC).date()
        if day not in self._made:
            since = 0 if self._first_day else time.time_ns() // 1_000
            self._made[day] = self._make(day, since)

    def instruments(self) -> Mapping[str, bytes]:
        """Return the answers that list the instruments."""
        return self._wire.instruments(self._specs)

    def natives(self) -> frozenset[str]:
        """Return the instruments."""
        return frozenset(venue_of(self.exchange).native(spec.symbol) for spec in self._specs)

    def streams(self) -> frozenset[str]:
        """Return what the encoders write, told by the first tick of every stream."""
        return frozenset(
            said.stream
            for days in self._made.values()
            for day, encoder in zip(days, self._encoders(), strict=True)
            for row in day.first()
            for said in encoder.write(row.stream, row.values)
            if said.stream
        )

    def begin(self, now: int) -> Iterator[Message]:
        """Tell everything that arrives from now on."""
        day = self._first_day or datetime.fromtimestamp(now / 1e6, UTC).date()
        encoders = self._encoders()
        with ThreadPoolExecutor(1) as pool:
            coming: Future[list[_Day]] | None = None
            days = self._made.pop(day, None) or self._make(day)
            while True:
                end = day_start_us(day) + DAY_US
                for message in _told(days, encoders, now):
                    if coming is None and message.due >= end - _LEAD_US:
                        coming = pool.submit(self._make, day + timedelta(days=1))
                    yield message
                day += timedelta(days=1)
                days = self._make(day) if coming is None else coming.result()
                coming = None

    def _make(self, day: date, since: int = 0) -> list[_Day]:
        return [_Day(spec, day, since) for spec in self._specs]

    def _encoders(self) -> list[Encoder]:
        return [self._wire.encoder(spec) for spec in self._specs]


class _Day:
    """A simulated day of one instrument; its book, which is large, is made in parts as it is told."""

    def __init__(self, spec: MarketSpec, day: date, since: int) -> None:
        """Make a day.

        Args:
            spec: The instrument.
            day: The day.
            since: What arrived before this time (µs) is not wanted.
        """
        self._session = Session(spec, day)
        made = frames_of(self._session, [stream for stream in streams_of(spec.exchange) if stream is not Stream.BOOK])
        self._frames = {
            stream: (frame := _in_us(made[stream]))[_begin(stream, frame["local_timestamp"], since) :].clone()
            for stream in _ORDER
            if stream in made
        }

    def rows(self, now: int) -> Iterator[_Row]:
        """Yield the ticks that arrive from `now` on, and the last one before of what is a state."""
        return heapq.merge(*(self._rows(place, stream, now) for place, stream in enumerate(_ORDER)))

    def first(self) -> Iterator[_Row]:
        """Yield some ticks of every stream."""
        for place, stream in enumerate(_ORDER):
            yield from islice(self._rows(place, stream, 0), _FIRST_ROWS)

    def _rows(self, place: int, stream: Stream, now: int) -> Iterator[_Row]:
        number = 0
        for part in self._book(now) if stream is Stream.BOOK else self._parts(stream, now):
            for values in part.iter_rows(named=True):
                yield _Row(max(now, values["local_timestamp"]), place, number, stream, values)
                number += 1

    def _parts(self, stream: Stream, now: int) -> Iterator[pl.DataFrame]:
        frame = self._frames.get(stream)
        if frame is not None:
            begin = _begin(stream, frame["local_timestamp"], now)
            yield from (frame[start : start + _ROWS] for start in range(begin, frame.height, _ROWS))

    def _book(self, now: int) -> Iterator[pl.DataFrame]:
        session = self._session
        sent = day_start_us(session.day) + session.events.quote_ms[book_ticks(session)] * 1_000
        # What arrives from now on may have been sent before.
        first = max(0, int(sent.searchsorted(now - MAX_DELAY_US)) - 1)
        for start in range(first, len(sent), _ROWS):
            part = _in_us(book_frame(session, slice(start, start + _ROWS)))
            yield part[_begin(Stream.BOOK, part["local_timestamp"], now) :] if start == first else part


def _in_us(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime).dt.epoch("us"))


def _begin(stream: Stream, arrived: pl.Series, now: int) -> int:
    """Return the first row to be told; of states that is the last one before `now`."""
    return max(0, int(arrived.search_sorted(now)) - (stream in _STATES))


class _Row(NamedTuple):
    """A tick and when it arrives, µs; `place` orders what arrives together, `number` the ticks of a stream."""

    due: int
    place: int
    number: int
    stream: Stream
    values: dict[str, Any]


def _told(days: Sequence[_Day], encoders: Sequence[Encoder], now: int) -> Iterator[Message]:
    told = (_written(day.rows(now), encoder) for day, encoder in zip(days, encoders, strict=True))
    return heapq.merge(*told, key=attrgetter("due"))


def _written(rows: Iterator[_Row], encoder: Encoder) -> Iterator[Message]:
    for row in rows:
        for said in encoder.write(row.stream, row.values):
            yield Message(row.due, *said)
