"""What can be asked for: `/api/v1/metadata/symbols` and `/api/v1/metadata/catalog`."""

from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Dataset, Field
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server.api.parameters import read_exchange
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


@get("/api/v1/metadata/symbols", sync_to_thread=True)
def get_symbols(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> SymbolsAnswer:
    """Answer with the symbols of an exchange; needs a key of any plan."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        exchange = read_exchange(request.scope["query_string"])
        service.admit(request, caller)
        return SymbolsAnswer(published_symbols(connection, exchange), exchange)


@get("/api/v1/metadata/catalog", sync_to_thread=False)
def get_catalog() -> CatalogAnswer:
    """Answer with every metric and field; needs no key, for it tells nothing of what is held here."""
    return _CATALOG


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


_CATALOG: Final = CatalogAnswer([_metric(declared) for declared in DATASETS.values()], list(Exchange))
