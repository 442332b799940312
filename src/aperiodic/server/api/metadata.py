"""What can be asked for: `/api/v1/metadata/symbols` and `/api/v1/metadata/catalog`."""

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Dataset, Field
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server.api.example_values import BTC, VENUE
from aperiodic.server.api.parameters import EXCHANGE
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.endpoints import RATE, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.queries.published import published_symbols
from aperiodic.server.service import Service

__all__ = ["CatalogAnswer", "SymbolsAnswer", "get_catalog", "get_symbols"]


class SymbolsAnswer(msgspec.Struct):
    """Symbols of an exchange.

    Attributes:
        symbols: Those that have published bars, sorted.
        exchange: Venue.
    """

    symbols: list[str]
    exchange: str


class FieldEntry(msgspec.Struct):
    """One column of a metric.

    Attributes:
        name: Column name.
        label: Short name for people.
        description: What it tells.
        unit: Unit of the values.
        formula: The definition in mathematical notation.
        null: When the value is null.
        type: Polars type of the column.
        highlight: Why to look at it first; null for most.
    """

    name: str
    label: str
    description: str
    unit: str
    formula: str
    null: str
    type: str
    highlight: str | None


class MetricEntry(msgspec.Struct):
    """One metric.

    Attributes:
        id: Name in paths and functions.
        name: Title for people.
        description: One line.
        category: Group it belongs to.
        tier: Lowest plan tier that includes it.
        driving: Stream of ticks whose events decide which bars exist.
        intervals: Lengths of bars; those below a minute exist for timestamp `true` only.
        timestamps: Clocks.
        fields: Columns beside `time`, in file order.
    """

    id: str
    name: str
    description: str
    category: str
    tier: int
    driving: str
    intervals: list[str]
    timestamps: list[str]
    fields: list[FieldEntry]


class CatalogAnswer(msgspec.Struct):
    """The catalog.

    Attributes:
        metrics: All metrics, in catalog order.
        exchanges: Venues that can be asked for.
    """

    metrics: list[MetricEntry]
    exchanges: list[str]


_SYMBOLS_EXAMPLE: Final = SymbolsAnswer(symbols=[BTC, "perpetual-ETH-USDT:USDT"], exchange=VENUE)


@serve(
    Endpoint(
        route="/api/v1/metadata/symbols",
        name="get_symbols",
        tag="metadata",
        summary="Symbols of a venue",
        description="The symbols that have published bars, sorted.",
        parameters=(EXCHANGE,),
        answers=(Answer("The symbols.", _SYMBOLS_EXAMPLE, headers=RATE),),
    ),
    sync_to_thread=True,
)
def get_symbols(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> SymbolsAnswer:
    """Answer with the symbols of an exchange; needs a key of any plan."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        exchange = read_query(request, connection, _venue)
        service.admit(request, caller)
        return SymbolsAnswer(published_symbols(connection, exchange), exchange)


def _venue(exchange: Exchange) -> Exchange:
    return exchange


_ohlcv = DATASETS["ohlcv"]
_close = next(field for field in _ohlcv.fields if field.name == "close")
_CATALOG_EXAMPLE: Final = CatalogAnswer(
    [
        MetricEntry(
            id=_ohlcv.id,
            name=_ohlcv.name,
            description=_ohlcv.description,
            category=_ohlcv.category,
            tier=_ohlcv.tier,
            driving=_ohlcv.driving,
            intervals=["1m", "5m", "1h", "1d"],
            timestamps=["exchange", "true"],
            fields=[
                FieldEntry(
                    name=_close.name,
                    label=_close.label,
                    description=_close.description,
                    unit=_close.unit,
                    formula=_close.formula,
                    null=_close.null,
                    type=str(_close.dtype),
                    highlight=_close.highlight,
                )
            ],
        )
    ],
    exchanges=[VENUE],
)


@serve(
    Endpoint(
        route="/api/v1/metadata/catalog",
        name="get_catalog",
        tag="metadata",
        summary="All metrics and fields",
        description="Every metric with its fields: label, unit, description, formula, null rule. Needs no key.",
        answers=(Answer("All metrics, in catalog order.", _CATALOG_EXAMPLE),),
        refusals=(ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE),
        security=None,
    ),
    sync_to_thread=False,
)
def get_catalog() -> CatalogAnswer:
    """Answer with every metric and field; needs no key, for it tells nothing of what is held here."""
    return CatalogAnswer([_metric(declared) for declared in DATASETS.values()], list(Exchange))


def _field(declared: Field) -> FieldEntry:
    return FieldEntry(
        name=declared.name,
        label=declared.label,
        description=declared.description,
        unit=declared.unit,
        formula=declared.formula,
        null=declared.null,
        type=str(declared.dtype),
        highlight=declared.highlight,
    )


def _metric(declared: Dataset) -> MetricEntry:
    return MetricEntry(
        id=declared.id,
        name=declared.name,
        description=declared.description,
        category=declared.category,
        tier=declared.tier,
        driving=declared.driving,
        intervals=list(Interval),
        timestamps=list(Clock),
        fields=[_field(field) for field in declared.fields],
    )
