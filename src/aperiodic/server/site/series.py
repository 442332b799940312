"""The numbers behind the site's charts: `/site/series`, over the shown slice and nothing else."""

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_404_NOT_FOUND

from aperiodic.catalog import TIME_COLUMN, Dataset, dataset
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.server.errors import RequestError, refuse
from aperiodic.server.site.slices import CHART_INTERVALS, Slices

__all__ = ["SeriesAnswer", "get_series"]

_MAX_FIELDS: Final = 8
_MAX_QUERY_BYTES: Final = 1024
_KEPT_S: Final = 300
_PRICES: Final = ("open", "high", "low", "close", "volume")


class SeriesAnswer(msgspec.Struct):
    """Bars of the shown slice, column by column.

    Attributes:
        metric: Dataset.
        interval: Length of the bars.
        timestamp: Clock of the bars.
        exchange: Venue.
        symbol: Instrument.
        source: Where the data comes from; null when nothing is published.
        seconds: Length of the bars, s.
        times: Starts of the bars, s since the epoch, ascending.
        fields: The asked fields, null where undefined.
        price_times: Starts of the candles, s since the epoch.
        prices: Open, high, low, close and volume of the candles.
    """

    metric: str
    interval: str
    timestamp: str
    exchange: str
    symbol: str
    source: str | None
    seconds: int
    times: list[int]
    fields: dict[str, list[float | None]]
    price_times: list[int]
    prices: dict[str, list[float | None]]


@get("/site/series", sync_to_thread=True, include_in_schema=False)
def get_series(request: Request[Any, Any, Any], slices: NamedDependency[Slices]) -> Response[SeriesAnswer]:
    """Answer with bars for a chart."""
    if slices.shown is None:
        raise refuse(HTTP_404_NOT_FOUND, "no_preview", "This installation shows no data.", "Use an API key.")
    declared, fields, interval, clock, exchange = _read(request.scope["query_string"])
    venue = exchange or slices.shown.exchange
    bars = slices.frame(declared, interval, clock, venue)
    candles = slices.frame(dataset("ohlcv"), interval, clock, venue)
    answer = SeriesAnswer(
        metric=declared.id,
        interval=interval,
        timestamp=clock,
        exchange=venue,
        symbol=slices.shown.symbol,
        source=slices.source(),
        seconds=interval.seconds,
        times=bars[TIME_COLUMN].dt.epoch("s").to_list(),
        fields={name: bars[name].to_list() for name in fields},
        price_times=candles[TIME_COLUMN].dt.epoch("s").to_list(),
        prices={name: candles[name].to_list() for name in _PRICES},
    )
    return Response(answer, headers={"Cache-Control": f"public, max-age={_KEPT_S}"})


def _read(query_string: bytes) -> tuple[Dataset, list[str], Interval, Clock, Exchange | None]:
    if len(query_string) > _MAX_QUERY_BYTES:
        raise refuse(HTTP_400_BAD_REQUEST, "query_too_long", "The query is too long.", "Ask for fewer fields.")
    given = dict(parse_qsl(query_string.decode("latin-1"), max_num_fields=16))
    try:
        declared = dataset(given.get("metric", "ohlcv"))
        names = {field.name: field for field in declared.fields}
        fields = [name for name in given.get("fields", "").split(",") if name]
        for name in fields:
            if name not in names:
                raise unknown_value("field", name, names)
        interval = Interval.parse(given.get("interval", Interval.H1))
        if interval not in CHART_INTERVALS:
            raise unknown_value("interval", interval, CHART_INTERVALS)
        clock = Clock.parse(given.get("timestamp", Clock.EXCHANGE))
        exchange = Exchange.parse(given["exchange"]) if "exchange" in given else None
    except InvalidInputError as problem:
        raise RequestError(HTTP_400_BAD_REQUEST, [problem]) from None
    return declared, fields[:_MAX_FIELDS], interval, clock, exchange
