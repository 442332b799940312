"""A dataset's page: what it is, charts of its highlights, every field, requests as code, what is held of it."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import Connection

from aperiodic.catalog import DATASETS, Dataset, Field, dataset
from aperiodic.catalog.changes import changes_of
from aperiodic.completeness.series import PublishedSeries, read_series, symbols_after
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError, Symbol
from aperiodic.market.time import months_between
from aperiodic.server.errors import RequestError
from aperiodic.server.openapi import Documents
from aperiodic.server.service import Service
from aperiodic.server.site.api_docs import constraints
from aperiodic.server.site.highlights import highlights
from aperiodic.server.site.preview_bars import CHART_INTERVALS, PreviewBars
from aperiodic.server.site.preview_state import month_cell
from aperiodic.server.site.quality import read_quality
from aperiodic.server.site.query import query_values, read_day
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.responses import data_response
from aperiodic.server.site.samples import Parameters, samples, usual_parameters
from aperiodic.venues.registry import venues_with

__all__ = ["HeatRow", "dataset_page", "field_groups", "get_dataset_page"]

_SYMBOLS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class HeatRow:
    """What is held of one instrument.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        months: Each month between the first and the last that any row has, and its state and what to say of it.
    """

    exchange: str
    symbol: str
    months: tuple[tuple[str, str, str], ...]


@get("/catalog/{metric:str}", sync_to_thread=True)
def get_dataset_page(
    request: Request[Any, Any, Any],
    metric: FromPath[str],
    service: NamedDependency[Service],
    preview_bars: NamedDependency[PreviewBars],
    documents: NamedDependency[Documents],
) -> Response[bytes]:
    """Answer with the page of a dataset."""
    return dataset_page(request, service, preview_bars, documents, metric)


def dataset_page(
    request: Request[Any, Any, Any], service: Service, preview_bars: PreviewBars, documents: Documents, metric: str
) -> Response[bytes]:
    """Render the page of a dataset.

    Raises:
        RequestError: 404 when there is none of that name.
    """
    try:
        declared = dataset(metric)
    except InvalidInputError as problem:
        raise RequestError([problem]) from None
    chosen = _parameters(request, service, declared)
    key = service.settings.demo_key if chosen.preview else "YOUR-KEY"
    with service.lake.engine.connect() as connection:
        published, more = _published(connection, declared)
        quality = read_quality(connection, declared, published)
    heat, months = _heat(published)
    return render_page(
        request,
        service,
        "dataset.html",
        title=f"{declared.name} ({declared.id})",
        description=declared.description,
        declared=declared,
        chosen=chosen,
        problem=_problem(chosen),
        samples=lambda api: samples(chosen, api, key),
        highlights=highlights(declared, preview_bars),
        groups=field_groups(declared),
        response=data_response(documents.endpoints, declared),
        constraints=constraints,
        shown=preview_bars.shown,
        source=preview_bars.source(),
        is_drawn=not preview_bars.frame(declared, Interval.H1).is_empty(),
        chart_intervals=CHART_INTERVALS,
        intervals=list(Interval),
        clocks=list(Clock),
        exchanges=venues_with(declared.streams),
        heat=heat,
        heat_months=months,
        heat_more=more,
        quality=quality,
        example=_example(declared, preview_bars),
        preview_entries=[entry for entry in service.settings.preview if entry.metric == declared.id],
        neighbours=_neighbours(declared),
        changes=changes_of(declared.id),
    )


def field_groups(declared: Dataset) -> list[tuple[str, list[Field]]]:
    """Return the fields in their order, those next to each other that share a caveat together with it."""
    return [(caveat, list(fields)) for caveat, fields in groupby(declared.fields, key=lambda field: field.caveat)]


def _parameters(request: Request[Any, Any, Any], service: Service, declared: Dataset) -> Parameters:
    """Read the parameters that the visitor chose; what is wrong or left out is taken from the preview."""
    entries = [entry for entry in service.settings.preview if entry.metric == declared.id]
    usual = usual_parameters(declared, service.settings)
    names = ("timestamp", "interval", "exchange", "symbol", "start_date", "end_date")
    given = query_values(request)
    chosen = {name: _valid(name, given.get(name, ""), getattr(usual, name)) for name in names}
    preview = any(all(str(getattr(entry, name)) == value for name, value in chosen.items()) for entry in entries)
    return Parameters(metric=declared.id, preview=preview, **chosen)


def _problem(chosen: Parameters) -> str:
    """Say why a request cannot work, as the form does in the browser; empty where it can."""
    if Interval(chosen.interval).sub_minute and chosen.timestamp != Clock.TRUE:
        return f"Bars of {chosen.interval} exist for the timestamp true only."
    if chosen.end_date < chosen.start_date:
        return "The end date lies before the start date."
    return ""


def _valid(name: str, text: str, fallback: str) -> str:
    readers: dict[str, Any] = {
        "timestamp": Clock.parse,
        "interval": Interval.parse,
        "exchange": Exchange.parse,
        "symbol": Symbol.parse,
        "start_date": read_day,
        "end_date": read_day,
    }
    try:
        return str(readers[name](text)) if text else fallback
    except (InvalidInputError, ValueError):
        return fallback


def _published(connection: Connection, declared: Dataset) -> tuple[list[tuple[Exchange, PublishedSeries]], int]:
    """Return the series of the first instruments of every venue, and of how many venues some are left out."""
    found: list[tuple[Exchange, PublishedSeries]] = []
    more = 0
    for exchange in Exchange:
        symbols = symbols_after(connection, exchange, "", _SYMBOLS_SHOWN + 1)
        more += len(symbols) > _SYMBOLS_SHOWN
        series = read_series(connection, exchange, symbols[:_SYMBOLS_SHOWN], declared.id, most_gaps=1)
        found += [(exchange, each) for each in series]
    return found, more


def _heat(published: list[tuple[Exchange, PublishedSeries]]) -> tuple[list[HeatRow], list[str]]:
    """Return rows of the coverage map, and the months they span."""
    every = sorted({month.month for _, series in published for month in series.months})
    span = months_between(every[0], every[-1]) if every else []
    rows = []
    for exchange, series in published:
        held = {month.month: month.completeness for month in series.months}
        rows.append(HeatRow(exchange, series.symbol, tuple(month_cell(month, held.get(month)) for month in span)))
    return rows, span


def _example(declared: Dataset, preview_bars: PreviewBars) -> list[dict[str, Any]]:
    """Return the first rows of the preview, to show what an answer looks like."""
    return preview_bars.frame(declared, Interval.H1).head(3).to_dicts()


def _neighbours(declared: Dataset) -> tuple[Dataset | None, Dataset | None]:
    order = list(DATASETS.values())
    place = order.index(declared)
    return (order[place - 1] if place else None, order[place + 1] if place + 1 < len(order) else None)
