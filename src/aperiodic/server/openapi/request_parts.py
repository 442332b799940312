"""The parameters of all endpoints, each declared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from aperiodic.catalog import DATASETS
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.server.openapi.declared import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AFTER",
    "AS_OF",
    "BARS",
    "DATASET",
    "DAYS",
    "EXCHANGE",
    "IF_NONE_MATCH",
    "INSTRUMENT",
    "LINK",
    "METRIC",
    "OF_METRIC",
    "OF_STREAM",
    "OF_SYMBOL",
    "RANGE",
    "SYMBOL",
]

_ASSET: Final = "[0-9A-Za-z][0-9A-Za-z_]*"
_SYMBOL: Final = {
    "type": "string",
    "maxLength": 100,
    "pattern": f"^(spot-{_ASSET}-{_ASSET}|perpetual-{_ASSET}-{_ASSET}:{_ASSET}"
    f"|future-{_ASSET}-{_ASSET}:{_ASSET}-20[0-9]{{6}})$",
}
_BTC: Final = "perpetual-BTC-USDT:USDT"
_DATE: Final = "(2009|20[1-9][0-9]|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DAY: Final = {"type": "string", "format": "date", "pattern": f"^{_DATE}$"}
_MOMENT: Final = {
    "type": "string",
    "pattern": rf"^{_DATE}(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}})?)?(Z|\+00:00)?)?$",
}


def _one_of(values: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": [str(value) for value in values]}


def _query(name: str, description: str, schema: dict[str, Any], example: str, *, required: bool = True) -> Parameter:
    return Parameter(name, "query", description, schema, example, required)


def _metric(place: Literal["path", "query"], description: str) -> Parameter:
    return Parameter("metric", place, description, _one_of(DATASETS), "ohlcv", place == "path")


METRIC: Final = _metric("path", "Metric: one of the datasets of /api/v1/metadata/catalog.")
DATASET: Final = Parameter("dataset", "path", "Stream of ticks.", _one_of(Stream), "trades")
EXCHANGE: Final = _query("exchange", "Venue.", _one_of(Exchange), Exchange.BINANCE_FUTURES)
SYMBOL: Final = _query("symbol", "Instrument in the Atlas symbology.", _SYMBOL, _BTC)
OF_SYMBOL: Final = _query("symbol", "Only this instrument.", _SYMBOL, _BTC, required=False)
OF_METRIC: Final = _metric("query", "Only this metric; for conditions, the stream that drives it.")
OF_STREAM: Final = _query("stream", "Stream of ticks, instead of `metric`.", _one_of(Stream), "trades", required=False)
AFTER: Final = _query(
    "after", "The `next` of the page before; not together with `symbol`.", _SYMBOL, _BTC, required=False
)
INSTRUMENT: Final = (EXCHANGE, SYMBOL)
DAYS: Final = (
    _query("start_date", "First UTC day.", _DAY, "2025-05-01"),
    _query("end_date", "Last UTC day, included.", _DAY, "2025-05-31"),
)
BARS: Final = (
    _query(
        "timestamp",
        "Clock that orders the events and decides the bar of each: `exchange` (the matching engine's time) or `true` "
        "(arrival at the capture host).",
        _one_of(Clock),
        Clock.EXCHANGE,
    ),
    _query(
        "interval",
        "Length of a bar; below a minute only with `timestamp=true` and a plan that has it.",
        _one_of(Interval),
        Interval.M5,
    ),
    *INSTRUMENT,
    *DAYS,
)
AS_OF: Final = _query(
    "as_of",
    "Answer with the revisions that were current at this moment: a time in UTC, or a day for its end.",
    _MOMENT,
    "2026-01-31",
    required=False,
)
LINK: Final = (
    Parameter("path", "path", "The object; may hold slashes.", {"type": "string"}, "bars/ohlcv/data.parquet"),
    _query(
        "expires",
        "Until when the link is valid, s since the epoch.",
        {"type": "string", "pattern": "^[1-9][0-9]{0,11}$"},
        "1746057900",
    ),
    _query(
        "signature",
        "Signature of host, path and expiry.",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "0" * 64,
    ),
)
RANGE: Final = Parameter(
    "Range",
    "header",
    "One range of bytes; anything else gets the whole file.",
    {"type": "string"},
    "bytes=0-1023",
    required=False,
)
IF_NONE_MATCH: Final = Parameter(
    "If-None-Match",
    "header",
    "ETags that the client has; one of them is answered with 304.",
    {"type": "string"},
    '"0123456789abcdef"',
    required=False,
)
