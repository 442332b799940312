"""Pages of instruments: `/symbols`, all that anything is held of, and `/symbols/{exchange}/{symbol}`, what is held of one."""

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_404_NOT_FOUND
from sqlalchemy import Connection, func, select

from aperiodic.catalog import DATASETS, TIME_COLUMN, Dataset, Field
from aperiodic.completeness.series import read_series
from aperiodic.completeness.tick_days import TickDays
from aperiodic.lake import ObjectKind
from aperiodic.lake.instruments import InstrumentRecord, read_instruments
from aperiodic.lake.schema import objects
from aperiodic.market import Exchange, Interval, InvalidInputError, Stream, Symbol
from aperiodic.market.errors import nearest
from aperiodic.market.time import month_days
from aperiodic.server.api.data import overall_source
from aperiodic.server.api.raw_metadata import HeldTicks
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError
from aperiodic.server.service import Service
from aperiodic.server.site.held_data import (
    HeldStream,
    SeriesRow,
    read_last_ticks,
    read_stream_gaps,
    revision_rows,
    series_rows,
)
from aperiodic.server.site.known_symbols import KnownSymbols, fitting
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.preview_state import month_cells
from aperiodic.server.site.query import query_values
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.samples import Parameters, samples
from aperiodic.server.site.searching import MAX_LETTERS

__all__ = ["get_symbol_page", "get_symbols_page"]

_SHOWN: Final = 100
_NEXT_HINT: Final = "Everything that is held is listed at /symbols."
_GAPS_SHOWN: Final = 5
_MONTHS_SHOWN: Final = 36
_VALUES: Final = 3
_LAST: Final = Interval.H1
_EXAMPLE: Final = "ohlcv"


@dataclass(frozen=True, slots=True)
class _StreamRow:
    """A stream of ticks and its newest gaps."""

    held: HeldStream
    gaps: list[Any]
    gaps_total: int


@dataclass(frozen=True, slots=True)
class _DatasetRow:
    """What is published of a dataset.

    Attributes:
        declared: The dataset.
        row: Of the ledger.
        last_bar: Start of the last published bar, µs; None where the ledger does not tell.
        months: Each of the newest months, its state and what to say of it.
        values: Fields to look at first and their values in the last bar of the preview; empty where it has none.
    """

    declared: Dataset
    row: SeriesRow
    last_bar: int | None
    months: tuple[tuple[str, str, str], ...]
    values: tuple[tuple[Field, Any], ...]


@get("/symbols", sync_to_thread=True)
def get_symbols_page(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    held_ticks: NamedDependency[HeldTicks],
    known_symbols: NamedDependency[KnownSymbols],
) -> Response[bytes]:
    """Answer with the list of instruments, of a venue (`?exchange=`), that fit a text (`?q=`), a page at a time."""
    asked = query_values(request)
    text = asked.get("q", "").strip()[:MAX_LETTERS]
    venue = asked.get("exchange", "") if asked.get("exchange", "") in set(Exchange) else ""
    known = known_symbols.get(held_ticks.get())
    found = fitting(text, known) if text else list(known)
    found = [item for item in found if venue in {"", item.exchange}]
    page = int(asked["page"]) if asked.get("page", "").isascii() and asked.get("page", "").isdigit() else 1
    pages = max(1, -(-len(found) // _SHOWN))
    page = min(max(page, 1), pages)
    return render_page(
        request,
        service,
        "symbols.html",
        title="Symbols",
        description="Every instrument of which this installation holds anything: since when, and what.",
        text=text,
        venue=venue,
        venues=[exchange for exchange in Exchange if any(item.exchange == exchange for item in known)],
        found=found[(page - 1) * _SHOWN : page * _SHOWN],
        total=len(found),
        known=len(known),
        page=page,
        pages=pages,
    )


@get("/symbols/{exchange:str}/{symbol:str}", sync_to_thread=True)
def get_symbol_page(
    request: Request[Any, Any, Any],
    exchange: FromPath[str],
    symbol: FromPath[str],
    service: NamedDependency[Service],
    preview_bars: NamedDependency[PreviewBars],
    held_ticks: NamedDependency[HeldTicks],
    known_symbols: NamedDependency[KnownSymbols],
) -> Response[bytes]:
    """Answer with what is held of an instrument; 404 for one of which nothing is, and nothing is known."""
    try:
        venue, name = Exchange.parse(exchange), str(Symbol.parse(symbol))
    except InvalidInputError as problem:
        raise RequestError([problem], status=HTTP_404_NOT_FOUND) from None
    held = [row for row in held_ticks.get() if row.exchange == venue and row.symbol == name]
    with service.lake.engine.connect() as connection:
        facts = read_instruments(connection, venue, symbol=name, history=True)
        published = read_series(connection, venue, [name], most_gaps=1)
        if not (facts or published or held):
            raise RequestError([_unknown(venue, name, known_symbols, held_ticks)], status=HTTP_404_NOT_FOUND)
        streams = _streams(connection, held)
        last_bars = _last_bars(connection, venue, name)
        revisions, revisions_total = revision_rows(published)
    rows = [_dataset_row(row, last_bars, _values(preview_bars, venue, name, row)) for row in series_rows(published)]
    chosen = _parameters(service, venue, name, rows)
    key = service.settings.demo_key if chosen is not None and chosen.preview else "YOUR-KEY"
    return render_page(
        request,
        service,
        "symbol.html",
        title=f"{name} on {venue}",
        description=f"What is held of {name} on {venue}: ticks, datasets, gaps, revisions, and what the venue says of it.",
        venue=venue,
        symbol=name,
        facts=facts,
        now=_now(facts),
        streams=streams,
        rows=rows,
        last=_LAST,
        is_shown=any(row.values for row in rows),
        shown=preview_bars.shown,
        revisions=[row for row in revisions if row.revision > 1],
        revisions_total=revisions_total,
        overall=overall_source({source for row in held for source in row.sources}),
        samples=(lambda api: samples(chosen, api, key)) if chosen else None,
        chosen=chosen,
        elsewhere=[
            item for item in known_symbols.get(held_ticks.get()) if item.symbol == name and item.exchange != venue
        ],
    )


def _now(facts: list[InstrumentRecord]) -> InstrumentRecord | None:
    return next((record for record in reversed(facts) if record.valid_to is None), None)


def _unknown(venue: Exchange, name: str, known_symbols: KnownSymbols, held_ticks: HeldTicks) -> InvalidInputError:
    of_venue = [item.symbol for item in known_symbols.get(held_ticks.get()) if item.exchange == venue]
    guess = nearest(name, of_venue)
    hint = f"Did you mean {guess}? {_NEXT_HINT}" if guess else _NEXT_HINT
    return ErrorCode.UNKNOWN_SYMBOL.problem(symbol=name, exchange=venue, where=hint)


def _streams(connection: Connection, held: list[TickDays]) -> list[_StreamRow]:
    last_ticks = read_last_ticks(connection, held)
    rows = []
    for row in sorted(held, key=lambda each: list(Stream).index(Stream(each.stream))):
        gaps = read_stream_gaps(connection, row)
        stream = HeldStream(row, last_ticks.get((row.symbol, row.stream)), overall_source(set(row.sources)))
        rows.append(_StreamRow(stream, gaps.gaps[:_GAPS_SHOWN], gaps.total))
    return rows


def _last_bars(connection: Connection, exchange: Exchange, symbol: str) -> dict[str, int]:
    """Return the start of the last published bar of every dataset, µs."""
    query = select(objects.c.dataset, func.max(objects.c.last_exchange)).where(
        objects.c.is_current,
        objects.c.kind.in_([ObjectKind.BARS, ObjectKind.OPEN_BARS]),
        objects.c.exchange == exchange,
        objects.c.symbol == symbol,
    )
    return {name: at for name, at in connection.execute(query.group_by(objects.c.dataset)) if at is not None}


def _dataset_row(row: SeriesRow, last_bars: dict[str, int], values: tuple[tuple[Field, Any], ...]) -> _DatasetRow:
    name = row.series.dataset
    months = month_cells(row.series.months[-_MONTHS_SHOWN:])
    return _DatasetRow(DATASETS[name], row, last_bars.get(name), months, values)


def _values(
    preview_bars: PreviewBars, exchange: Exchange, symbol: str, row: SeriesRow
) -> tuple[tuple[Field, Any], ...]:
    """Return the last bar of the preview, which is what everybody may see; nothing for another instrument."""
    shown = preview_bars.shown
    if shown is None or (shown.exchange, shown.symbol) != (exchange, symbol):
        return ()
    declared = DATASETS[row.series.dataset]
    bars = preview_bars.frame(declared, _LAST).sort(TIME_COLUMN).tail(1)
    fields = (declared.highlights or declared.fields)[:_VALUES]
    return tuple((field, bars[field.name][0]) for field in fields) if bars.height else ()


def _parameters(service: Service, exchange: Exchange, symbol: str, rows: list[_DatasetRow]) -> Parameters | None:
    """Return the request that the samples show: one of the preview, else the last month that is published."""
    if not rows:
        return None
    for entry in service.settings.preview:
        if (entry.exchange, entry.symbol) == (exchange, symbol):
            return Parameters.of_entry(entry)
    row = next((each for each in rows if each.declared.id == _EXAMPLE), rows[0])
    clock = next(clock for clock, intervals in row.row.series.intervals.items() if intervals)
    first, last = month_days(row.row.series.months[-1].month)
    interval = row.row.series.intervals[clock][-1]
    return Parameters(
        metric=row.declared.id,
        preview=False,
        timestamp=str(clock),
        interval=str(interval),
        exchange=exchange,
        symbol=symbol,
        start_date=f"{first}",
        end_date=f"{last}",
    )
