"""The newest bars behind the site's live boards: `/site/live`, of the instruments of the preview and nothing else."""

import time
from threading import Lock
from typing import Any, Final

import msgspec
import polars as pl
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_404_NOT_FOUND

from aperiodic.catalog import TIME_COLUMN, Dataset, dataset
from aperiodic.market import Clock, Interval, InvalidInputError, Symbol
from aperiodic.market.time import now_us
from aperiodic.server.errors import RequestError
from aperiodic.server.queries.newest import NewestBars, newest_bars
from aperiodic.server.service import Service
from aperiodic.server.site.query import query_values
from aperiodic.server.stream.fanout import Fanout

__all__ = ["LiveBoard", "get_live"]

_BARS: Final = 61
"""An hour, and the minute before it."""

_FRESH_US: Final = 300_000_000
_KEPT_S: Final = 1.0
_MOST_INSTRUMENTS: Final = 12


class LiveInstrument(msgspec.Struct):
    """The newest bars of one instrument.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        rows: Bars of a minute on the exchange's clock, oldest first, as in `/data/latest`.
    """

    exchange: str
    symbol: str
    rows: list[dict[str, str | int | float | bool | None]]


class LiveBars(msgspec.Struct):
    """What a live board shows.

    Attributes:
        metric: Dataset.
        now: The time here, µs since 1970.
        instruments: Those of the preview whose newest bar has closed within five minutes.
    """

    metric: str
    now: int
    instruments: list[LiveInstrument]


class LiveBoard:
    """Makes the answers, each at most once a second whatever the number of visitors."""

    def __init__(self, service: Service) -> None:
        self._service = service
        entries = service.settings.preview
        self._instruments = list(dict.fromkeys((entry.exchange, entry.symbol) for entry in entries))[:_MOST_INSTRUMENTS]
        self._answers: dict[str, tuple[float, bytes]] = {}
        self._lock = Lock()

    def answer(self, declared: Dataset, live_rows: Fanout) -> bytes:
        """Return the newest bars of a dataset as JSON."""
        with self._lock:
            made_at, kept = self._answers.get(declared.id, (0.0, b""))
            if kept and time.monotonic() - made_at < _KEPT_S:
                return kept
            found = msgspec.json.encode(self._read(declared, live_rows))
            self._answers[declared.id] = time.monotonic(), found
            return found

    def _read(self, declared: Dataset, live_rows: Fanout) -> LiveBars:
        now = now_us()
        instruments = []
        for exchange, symbol in self._instruments:
            asked = NewestBars(declared, exchange, Interval.M1, Clock.EXCHANGE, _BARS)
            symbols = [Symbol.parse(symbol)]
            told = live_rows.kept(asked.channel(symbols), since=0)
            frame = newest_bars(self._service.lake, asked, symbols, told, now)
            rows = frame.with_columns(pl.col(TIME_COLUMN).to_physical()).drop("symbol").to_dicts()
            if rows and rows[-1][TIME_COLUMN] + Interval.M1.microseconds > now - _FRESH_US:
                instruments.append(LiveInstrument(exchange, symbol, rows))
        return LiveBars(declared.id, now, instruments)


@get("/site/live", sync_to_thread=True)
def get_live(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    live_board: NamedDependency[LiveBoard],
    live_rows: NamedDependency[Fanout],
) -> Response[bytes]:
    """Answer with the newest bars of `metric`; without instruments where nothing is collected."""
    try:
        declared = dataset(query_values(request).get("metric", ""))
    except InvalidInputError as problem:
        raise RequestError([problem], status=HTTP_404_NOT_FOUND) from None
    service.admit(request, None)
    return Response(
        live_board.answer(declared, live_rows), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
