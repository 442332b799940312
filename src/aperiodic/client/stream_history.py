"""The past of a stream: what was published before, as rows like the live ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.bars_request import BarsRequest
from aperiodic.client.cache import Cache
from aperiodic.client.fetch import fetch_once
from aperiodic.client.request import DataRequest
from aperiodic.client.stream_channels import channel_of, interval_us, parse_since, parse_symbols
from aperiodic.client.stream_messages import StreamMessage
from aperiodic.client.stream_session import MadeUp, Remark
from aperiodic.market import AperiodicDataError, Clock, Interval
from aperiodic.market.errors import InvalidInputError
from aperiodic.market.interval import DAY_US
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from aperiodic.client.stream_session import Event, Session
    from aperiodic.client.types import Day, OnIncomplete

__all__ = ["History"]


@dataclass(frozen=True, slots=True)
class History:
    """What to fetch before a stream begins, and where the stream has a hole.

    Attributes:
        symbols: Instruments.
        channel: What to subscribe to afterwards.
        name: Name of that channel.
        start_us: First time, µs since the epoch.
        api_key: Of the server.
        request: Arguments of a request for bars, without symbol and days.
    """

    symbols: tuple[str, ...]
    channel: dict[str, Any]
    name: str
    start_us: int
    api_key: str
    request: dict[str, Any]

    @classmethod
    def parse(
        cls,
        *,
        api_key: str | None,
        metric: str,
        interval: str,
        exchange: str,
        symbol: str | Sequence[str],
        start: Day | int,
        timestamp: str | None,
        base_url: str | None,
        show_progress: bool,
        max_concurrent: int,
        on_incomplete: OnIncomplete,
    ) -> Self:
        """Check every value, as the functions that fetch do.

        Raises:
            InvalidInputError: A value is missing or not valid; its `code` says which and how.
        """
        symbols = tuple(dict.fromkeys(parse_symbols(symbol)))
        start_us = parse_since(start, "start")
        if start_us is None:
            raise InvalidInputError("start was not given.", code="missing_start", hint="Pass start=….")
        clock = timestamp or _default_clock(interval)
        request: dict[str, Any] = {
            "api_key": api_key,
            "timestamp": clock,
            "interval": interval,
            "exchange": exchange,
            "base_url": base_url,
            "show_progress": show_progress,
            "max_concurrent": max_concurrent,
            "on_incomplete": on_incomplete,
        }
        day = time_at(start_us).date()
        for one in symbols:
            checked = DataRequest.parse(metric, family=None, symbol=one, start_date=day, end_date=day, **request)
        named = {"dataset": metric, "exchange": exchange, "interval": interval}
        name = ".".join([*named.values(), *([] if timestamp is None else [timestamp])])
        channel = channel_of(named, symbols, timestamp)
        return cls(
            symbols, channel, name, start_us, checked.account.api_key, {"metric": metric, "family": None, **request}
        )

    async def events(self, session: Session) -> Iterator[Event]:
        """Fetch the past; what is yielded is noted in the session, which asks for the rows after it.

        Raises:
            APIError: As `fetch_once`, like the others.
        """
        frames, remarks = await self._published(self.symbols, self.start_us)
        return self._beginning(session, frames, remarks)

    async def make_up(self, session: Session, since: int) -> MadeUp:
        """Fetch the rows since a time, µs, that the stream does not tell; what is yielded is noted in the session.

        New ones are to wait in the stream already, so that none falls between them and these.

        Raises:
            AperiodicDataError: As `fetch_once`.
        """
        newest, early = await self._newest(since)
        frames, remarks = await self._published(early, since)
        until = None
        if newest is None:  # files of a server that cannot be asked for the newest rows end some time ago
            length = interval_us(self.name)
            until = min((_last(frame) + length if frame.height else since for frame in frames), default=since)
        channels = session.subscription.channels if session.subscription is not None else ()
        name = channels[0] if len(channels) == 1 else self.name
        messages = chain(self._messages(name, frames), self._told(name, newest or ()))
        return MadeUp(chain(remarks, _take(session, messages)), until)

    async def _published(self, symbols: Iterable[str], since: int) -> tuple[list[pl.DataFrame], list[Remark]]:
        """Fetch what files have of some instruments since a time, µs."""
        start, today = time_at(since), time_at(now_us()).date()
        frames, remarks = [], []
        for symbol in symbols if start.date() <= today else ():
            asked = BarsRequest.parse(**self.request, symbol=symbol, start_date=start.date(), end_date=today)
            fetched = await fetch_once(asked, Cache.parse(None))
            remarks += [Remark(*told) for told in fetched.remarks.warnings()]
            frame = fetched.frame.filter(pl.col(TIME_COLUMN) >= start.replace(tzinfo=None))
            frames.append(
                frame.insert_column(0, pl.Series("symbol", [symbol], pl.String).new_from_index(0, frame.height))
            )
        return frames, remarks

    async def _newest(self, since: int) -> tuple[list[dict[str, Any]] | None, tuple[str, ...]]:
        """Ask for the newest rows, of so long a time that one from before `since`, µs, is among them.

        Returns:
            The rows, None where the server does not answer that; and the instruments of which there are more.
        """
        # The HTTP library takes as long to import as the rest of the package.
        from aperiodic.client.newest import MOST_BARS, newest_bars  # noqa: PLC0415
        from aperiodic.client.transport import open_transport  # noqa: PLC0415

        now, length = now_us(), interval_us(self.name)
        n = min(max(now - since, 0) // length + 2, MOST_BARS) if length else MOST_BARS
        rows: list[dict[str, Any]] = []
        early: list[str] = []
        try:
            async with open_transport(max_connections=1) as transport:
                for symbol in self.symbols:
                    some = await newest_bars(transport, self._asked(symbol, time_at(now).date()), n)
                    rows += [row for row in some if row[TIME_COLUMN] >= since]
                    if len(some) >= n and some[0][TIME_COLUMN] >= since:
                        early.append(symbol)
        except AperiodicDataError:
            return None, self.symbols
        rows.sort(key=lambda row: row[TIME_COLUMN])
        return rows, tuple(early)

    def _asked(self, symbol: str, day: date) -> DataRequest:
        return DataRequest.parse(**self.request, symbol=symbol, start_date=day, end_date=day)

    def _beginning(self, session: Session, frames: list[pl.DataFrame], remarks: list[Remark]) -> Iterator[Event]:
        yield from remarks
        session.history = self.name
        yield from _take(session, self._messages(self.name, frames))
        session.since = self._asked_from(session, frames)

    def _messages(self, channel: str, frames: list[pl.DataFrame]) -> Iterator[StreamMessage]:
        if not frames:
            return
        interval = self.channel["interval"]
        rows = pl.concat(frames, how="diagonal").sort(TIME_COLUMN, maintain_order=True)
        for row in rows.with_columns(pl.col(TIME_COLUMN).dt.epoch("us")).iter_rows(named=True):
            symbol, time = row.pop("symbol"), row.pop(TIME_COLUMN)
            yield StreamMessage(channel, {"symbol": symbol, "interval": interval, TIME_COLUMN: time, **row})

    def _told(self, channel: str, rows: Iterable[dict[str, Any]]) -> Iterator[StreamMessage]:
        for row in rows:
            yield StreamMessage(channel, {"symbol": row.get("symbol"), "interval": self.channel["interval"], **row})

    def _asked_from(self, session: Session, frames: list[pl.DataFrame]) -> int | None:
        """From when on to ask the stream: after the last row, and where a symbol has none, for all of today."""
        now = now_us()
        if self.start_us >= now:
            return None
        whole_day = max(self.start_us, now - now % DAY_US)
        newest = session.marks.since()
        if newest is None:
            return self.start_us
        return newest if all(frame.height for frame in frames) else min(newest, whole_day)


def _take(session: Session, messages: Iterable[StreamMessage]) -> Iterator[StreamMessage]:
    """Yield what did not come before, and note it."""
    return (message for message in messages if session.marks.take(message, new_only=True))


def _last(frame: pl.DataFrame) -> int:
    """Return the time of the last row, µs."""
    return int(frame[TIME_COLUMN].dt.epoch("us").max())  # type: ignore[arg-type]


def _default_clock(interval: str) -> str:
    try:
        return Clock.TRUE.value if Interval(interval).sub_minute else Clock.EXCHANGE.value
    except ValueError:
        return Clock.EXCHANGE.value
