"""The past of a stream: what was published before, as rows like the live ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.bars_request import BarsRequest
from aperiodic.client.cache import Cache
from aperiodic.client.fetch import fetch_once
from aperiodic.client.request import DataRequest
from aperiodic.client.stream_channels import channel_of, parse_since, parse_symbols
from aperiodic.client.stream_messages import StreamMessage
from aperiodic.client.stream_session import Remark
from aperiodic.market import Clock, Interval
from aperiodic.market.errors import InvalidInputError
from aperiodic.market.interval import DAY_US
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aperiodic.client.stream_session import Event, Session
    from aperiodic.client.types import Day, OnIncomplete

__all__ = ["History"]


@dataclass(frozen=True, slots=True)
class History:
    """What to fetch before a stream begins.

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
            "output": "polars",
            "preview": False,
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
        today = time_at(now_us()).date()
        start = time_at(self.start_us)
        frames, remarks = [], []
        for symbol in self.symbols if start.date() <= today else ():
            asked = BarsRequest.parse(**self.request, symbol=symbol, start_date=start.date(), end_date=today)
            fetched = await fetch_once(asked, Cache.parse(None))
            remarks += [Remark(*told) for told in fetched.remarks.warnings()]
            frame = fetched.frame.filter(pl.col(TIME_COLUMN) >= start.replace(tzinfo=None))
            frames.append(
                frame.insert_column(0, pl.Series("symbol", [symbol], pl.String).new_from_index(0, frame.height))
            )
        return self._rows(session, frames, remarks)

    def _rows(self, session: Session, frames: list[pl.DataFrame], remarks: list[Remark]) -> Iterator[Event]:
        yield from remarks
        session.history = self.name
        interval = self.channel["interval"]
        if frames:
            rows = pl.concat(frames, how="diagonal").sort(TIME_COLUMN, maintain_order=True)
            for row in rows.with_columns(pl.col(TIME_COLUMN).dt.epoch("us")).iter_rows(named=True):
                symbol, time = row.pop("symbol"), row.pop(TIME_COLUMN)
                message = StreamMessage(self.name, {"symbol": symbol, "interval": interval, TIME_COLUMN: time, **row})
                if session.marks.take(message, new_only=True):
                    yield message
        session.since = self._asked_from(session, frames)

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


def _default_clock(interval: str) -> str:
    try:
        return Clock.TRUE.value if Interval(interval).sub_minute else Clock.EXCHANGE.value
    except ValueError:
        return Clock.EXCHANGE.value
