"""The chart workspace: `/charts`, candles with any fields below. What is drawn is named by the address.

The page itself holds no numbers: the browser reads the preview, or, with the visitor's key, the API.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from litestar import Request, Response, get
from litestar.di import NamedDependency
from sqlalchemy import Connection

from aperiodic.catalog import DATASETS, Category
from aperiodic.completeness.series import read_series, symbols_after
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError, Symbol
from aperiodic.market.time import month_days
from aperiodic.server.queries.published import published_symbols
from aperiodic.server.service import Service
from aperiodic.server.site.heat_maps import HEAT_MAPS, heat_map
from aperiodic.server.site.preview_bars import CHART_INTERVALS, PreviewBars, PreviewRange
from aperiodic.server.site.query import query_pairs, read_day
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.series import shown_venues

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PANES", "Choice", "get_charts", "read_choice"]

PANES: Final = 4
"""How many fields are drawn below the candles at most."""

_CLOCKS: Final = (*Clock, "both", "difference")
_STYLES: Final = ("bars", "lines")
_FIRST: Final = "flow"
_CANDLES: Final = "ohlcv"
_Choice = TypeVar("_Choice", bound=str)
_Fallback = TypeVar("_Fallback", bound=str | None)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a chart shows.

    Attributes:
        panes: Dataset and field of each pane below the candles, 1 to `PANES`.
        interval: Length of the bars.
        timestamp: A clock, or `both`, or `difference`: the field on the true clock less that on the exchange's.
        style: How a field that takes both signs is drawn: `bars` coloured by sign, or `lines`.
        exchange: Venue of the candles and the fields.
        compare: A second venue whose fields are drawn over the first's; None for none.
        symbol: Atlas symbol.
        start: First UTC day.
        end: Last UTC day, included.
    """

    panes: tuple[tuple[str, str], ...]
    interval: Interval
    timestamp: str
    style: str
    exchange: Exchange | None
    compare: Exchange | None
    symbol: str
    start: date
    end: date


@get("/charts", sync_to_thread=True)
def get_charts(
    request: Request[Any, Any, Any], service: NamedDependency[Service], preview_bars: NamedDependency[PreviewBars]
) -> Response[bytes]:
    """Answer with the page of charts."""
    with service.lake.engine.connect() as connection:
        open_venues = [] if preview_bars.shown is None else shown_venues(connection, preview_bars.shown)
        others = [exchange for exchange in Exchange if exchange not in open_venues]
        venues = [*open_venues, *(other for other in others if published_symbols(connection, other))]
        shown = preview_bars.shown if open_venues else _first_held(connection, venues)
    return render_page(
        request,
        service,
        "charts.html",
        title="Charts",
        description="Candles with any fields of any datasets below, for any published symbol, interval and days.",
        choice=None if shown is None else read_choice(request.scope["query_string"], venues, shown),
        pane_count=PANES,
        categories={category: [d for d in DATASETS.values() if d.category == category] for category in Category},
        heat_maps=HEAT_MAPS,
        intervals=tuple(Interval),
        open_intervals=CHART_INTERVALS,
        clocks=_CLOCKS,
        styles=_STYLES,
        venues=venues,
        open_venues=open_venues,
        shown=shown,
        source=preview_bars.source() if open_venues else None,
        embed_origins=service.settings.embed_origins,
    )


def _first_held(connection: Connection, venues: list[Exchange]) -> PreviewRange | None:
    """Return an instrument that is published and its last month, to begin with where there is no preview."""
    for exchange in venues:
        for symbol in symbols_after(connection, exchange, "", 1):
            for series in read_series(connection, exchange, [symbol], _CANDLES, most_gaps=1):
                first, last = month_days(series.months[-1].month)
                return PreviewRange(exchange, symbol, first, last)
    return None


def read_choice(query_string: bytes, venues: list[Exchange], shown: PreviewRange) -> Choice:
    """Read what a chart shows from the query of its address; what is unknown or left out takes its default.

    `metric` and `field` may be repeated: the first of each belong to the first pane, and so on.

    Args:
        query_string: As the browser sent it.
        venues: Those that have published anything, best first.
        shown: The symbol and the days that are drawn where the address names no others.
    """
    given: dict[str, list[str]] = {}
    for name, value in query_pairs(query_string, keep_blank=True):
        given.setdefault(name, []).append(value)
    fields = given.get("field", [])
    panes = [
        (metric, _field(metric, fields[place] if place < len(fields) else ""))
        for place, metric in enumerate(given.get("metric", [])[:PANES])
        if metric in DATASETS
    ]
    exchange = _one_of(given.get("exchange"), venues, venues[0] if venues else None)
    others = [venue for venue in venues if venue != exchange]
    return Choice(
        panes=tuple(panes) or ((_FIRST, _field(_FIRST)),),
        interval=_one_of(given.get("interval"), Interval, Interval.H1),
        timestamp=_one_of(given.get("timestamp"), _CLOCKS, str(Clock.EXCHANGE)),
        style=_one_of(given.get("style"), _STYLES, _STYLES[0]),
        exchange=exchange,
        compare=_one_of(given.get("compare"), others, None),
        symbol=_symbol(given.get("symbol"), shown.symbol),
        start=_day(given.get("start_date"), shown.start),
        end=_day(given.get("end_date"), shown.end),
    )


def _field(metric: str, name: str = "") -> str:
    """Return the field or heat map of that name, else the field to look at first."""
    if heat_map(metric, name) is not None:
        return name
    fields = DATASETS[metric].fields
    return next(
        (field.name for field in fields if field.name == name),
        next((field.name for field in fields if field.highlight is not None), fields[0].name),
    )


def _one_of(given: list[str] | None, choices: "Iterable[_Choice]", fallback: _Fallback) -> _Choice | _Fallback:
    return next((choice for choice in choices if given and choice == given[0]), fallback)


def _symbol(given: list[str] | None, fallback: str) -> str:
    try:
        return str(Symbol.parse(given[0])) if given else fallback
    except InvalidInputError:
        return fallback


def _day(given: list[str] | None, fallback: date) -> date:
    try:
        return read_day(given[0]) if given else fallback
    except ValueError:
        return fallback
