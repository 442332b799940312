"""The numbers behind the site's charts: `/site/series`, over the preview and nothing else."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_404_NOT_FOUND
from sqlalchemy import Connection

from aperiodic.catalog import TIME_COLUMN, Dataset, Field, dataset
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import current_objects
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError
from aperiodic.market.errors import unknown_value
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError
from aperiodic.server.middleware.conditional_requests import compressed
from aperiodic.server.service import Service
from aperiodic.server.site.preview_bars import CHART_INTERVALS, PreviewBars, PreviewRange
from aperiodic.server.site.query import MOST_QUERY_BYTES, query_pairs

__all__ = ["OpenRequests", "SeriesAnswer", "get_open_requests", "get_series", "shown_venues"]

_MAX_FIELDS: Final = 8
_CACHED: Final = {"Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding"}
_PRICES: Final = ("open", "high", "low", "close", "volume")
_YES_OR_NO: Final = ("yes", "no")


class SeriesAnswer(msgspec.Struct):
    """Bars of the preview, column by column.

    Attributes:
        metric: Dataset.
        interval: Length of the bars.
        timestamp: Clock of the bars.
        exchange: Venue.
        symbol: Instrument.
        source: Where the preview comes from; null when nothing is published.
        seconds: Length of the bars, s.
        times: Starts of the bars, s since the epoch, ascending.
        fields: The asked fields, null where undefined.
        labels: What people call them.
        units: Units of their values.
        price_times: Starts of the candles, s since the epoch; empty when candles were not asked for.
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
    labels: dict[str, str]
    units: dict[str, str]
    price_times: list[int]
    prices: dict[str, list[float | None]]


class OpenRequests(msgspec.Struct):
    """What the demo key opens.

    Attributes:
        entries: The requests of the preview, each with all seven parameters.
    """

    entries: list[dict[str, str]]


class _Asked(msgspec.Struct):
    declared: Dataset
    fields: list[Field]
    interval: Interval
    clock: Clock
    exchange: Exchange | None
    candles: bool


@get("/site/series", sync_to_thread=True)
def get_series(request: Request[Any, Any, Any], preview_bars: NamedDependency[PreviewBars]) -> Response[bytes]:
    """Answer with bars for a chart.

    Query: `metric`, `fields` (names with commas between), `interval`, `timestamp`, `exchange`, and `candles=no` to
    leave the candles out.
    """
    if preview_bars.shown is None:
        nothing = InvalidInputError("This installation shows no data.", code="no_preview", hint="Use an API key.")
        raise RequestError([nothing], status=HTTP_404_NOT_FOUND)
    asked = _read(request.scope["query_string"])
    venue = asked.exchange or preview_bars.shown.exchange
    bars = preview_bars.frame(asked.declared, asked.interval, asked.clock, venue)
    candles = preview_bars.frame(dataset("ohlcv"), asked.interval, asked.clock, venue)
    if not asked.candles:
        candles = candles.clear()
    answer = SeriesAnswer(
        metric=asked.declared.id,
        interval=asked.interval,
        timestamp=asked.clock,
        exchange=venue,
        symbol=preview_bars.shown.symbol,
        source=preview_bars.source(),
        seconds=asked.interval.seconds,
        times=bars[TIME_COLUMN].dt.epoch("s").to_list(),
        fields={field.name: bars[field.name].to_list() for field in asked.fields},
        labels={field.name: field.label for field in asked.fields},
        units={field.name: field.unit for field in asked.fields},
        price_times=candles[TIME_COLUMN].dt.epoch("s").to_list(),
        prices={name: candles[name].to_list() for name in _PRICES},
    )
    headers = dict(_CACHED)
    body = compressed(request, msgspec.json.encode(answer), headers)
    return Response(body, headers=headers, media_type="application/json")


@get("/site/preview", sync_to_thread=False)
def get_open_requests(service: NamedDependency[Service]) -> Response[OpenRequests]:
    """Answer with the requests that the demo key opens, for the form that fills them in."""
    entries = [
        {name: str(value) for name, value in entry.model_dump(mode="json").items()}
        for entry in service.settings.preview
    ]
    return Response(OpenRequests(entries), headers=_CACHED)


def shown_venues(connection: Connection, shown: PreviewRange) -> list[Exchange]:
    """Return the venues that have published candles of the preview.

    Args:
        connection: Open connection to the ledger.
        shown: What the preview holds.
    """
    records = current_objects(
        connection,
        ObjectKind.BARS,
        dataset=dataset("ohlcv").id,
        exchange=list(Exchange),  # without it the index would not serve
        symbol=shown.symbol,
        clock=list(Clock),
        interval=[str(interval) for interval in CHART_INTERVALS],
        period=shown.months,
    )
    held = {record.key.exchange for record in records}
    return [exchange for exchange in Exchange if exchange in held]


def _read(query_string: bytes) -> _Asked:
    if len(query_string) > MOST_QUERY_BYTES:
        problem = ErrorCode.QUERY_TOO_LONG.problem(most=MOST_QUERY_BYTES, names="fewer fields")
        raise RequestError([problem], status=HTTP_400_BAD_REQUEST)
    given = dict(query_pairs(query_string))
    try:
        declared = dataset(given.get("metric", "ohlcv"))
        fields = _fields(declared, given.get("fields", ""))
        interval = Interval.parse(given.get("interval", Interval.H1))
        if interval not in CHART_INTERVALS:
            raise unknown_value("interval", interval, CHART_INTERVALS)
        clock = Clock.parse(given.get("timestamp", Clock.EXCHANGE))
        exchange = Exchange.parse(given["exchange"]) if "exchange" in given else None
        candles = given.get("candles", "yes")
        if candles not in _YES_OR_NO:
            raise unknown_value("candles", candles, _YES_OR_NO)
    except InvalidInputError as problem:
        raise RequestError([problem], status=HTTP_400_BAD_REQUEST) from None
    return _Asked(declared, fields, interval, clock, exchange, candles == "yes")


def _fields(declared: Dataset, text: str) -> list[Field]:
    known = {field.name: field for field in declared.fields}
    asked = [name for name in text.split(",") if name]
    for name in asked:
        if name not in known:
            raise unknown_value("field", name, known)
    if len(asked) > _MAX_FIELDS:
        raise InvalidInputError(
            f"{len(asked)} fields are more than the {_MAX_FIELDS} of one answer.",
            code="too_many_fields",
            hint="Ask for the others in a second request.",
        )
    return [known[name] for name in asked]
