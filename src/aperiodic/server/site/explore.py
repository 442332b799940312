"""Charts of the preview: `/charts`, candles with any fields below. What is drawn is named by the address."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Category
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server.service import Service
from aperiodic.server.site.preview_bars import CHART_INTERVALS, PreviewBars
from aperiodic.server.site.query import query_pairs
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.series import shown_venues

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PANES", "Choice", "get_charts", "read_choice"]

PANES: Final = 3
"""How many fields are drawn below the candles at most."""

_BOTH: Final = "both"
_FIRST: Final = "flow"
_Choice = TypeVar("_Choice", bound=str)
_Fallback = TypeVar("_Fallback", bound=str | None)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a chart shows.

    Attributes:
        panes: Dataset and field of each pane below the candles, 1 to `PANES`.
        interval: Length of the bars.
        timestamp: A clock, or `both`.
        exchange: Venue of the candles and the fields.
        compare: A second venue whose fields are drawn over the first's; None for none.
    """

    panes: tuple[tuple[str, str], ...]
    interval: Interval
    timestamp: str
    exchange: Exchange | None
    compare: Exchange | None


@get("/charts", sync_to_thread=True)
def get_charts(
    request: Request[Any, Any, Any], service: NamedDependency[Service], preview_bars: NamedDependency[PreviewBars]
) -> Response[bytes]:
    """Answer with the page of charts."""
    venues = []
    if preview_bars.shown is not None:
        with service.lake.engine.connect() as connection:
            venues = shown_venues(connection, preview_bars.shown)
    return render_page(
        request,
        service,
        "charts.html",
        title="Charts",
        description="Candles with any field of any dataset below, on both clocks, drawn over the preview.",
        choice=read_choice(request.scope["query_string"], venues),
        pane_count=PANES,
        categories={category: [d for d in DATASETS.values() if d.category == category] for category in Category},
        chart_intervals=CHART_INTERVALS,
        clocks=[*Clock, _BOTH],
        venues=venues,
        shown=preview_bars.shown,
        source=preview_bars.source(),
    )


def read_choice(query_string: bytes, venues: list[Exchange]) -> Choice:
    """Read what a chart shows from the query of its address; what is unknown or left out takes its default.

    `metric` and `field` may be repeated: the first of each belong to the first pane, and so on.

    Args:
        query_string: As the browser sent it.
        venues: Those that have data to show, best first.
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
        interval=_one_of(given.get("interval"), CHART_INTERVALS, Interval.H1),
        timestamp=_one_of(given.get("timestamp"), (*Clock, _BOTH), str(Clock.EXCHANGE)),
        exchange=exchange,
        compare=_one_of(given.get("compare"), others, None),
    )


def _field(metric: str, name: str = "") -> str:
    """Return the field of that name, else the one to look at first."""
    fields = DATASETS[metric].fields
    return next(
        (field.name for field in fields if field.name == name),
        next((field.name for field in fields if field.highlight is not None), fields[0].name),
    )


def _one_of(given: list[str] | None, choices: "Iterable[_Choice]", fallback: _Fallback) -> _Choice | _Fallback:
    return next((choice for choice in choices if given and choice == given[0]), fallback)
