"""A chart of the preview for the frames of other sites: `/embed/chart`, named as the charts are."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_404_NOT_FOUND

from aperiodic.catalog import DATASETS
from aperiodic.market import Interval, InvalidInputError
from aperiodic.server.errors import RequestError
from aperiodic.server.service import Service
from aperiodic.server.site.explore import Choice, read_choice
from aperiodic.server.site.heat_maps import heat_map
from aperiodic.server.site.preview_bars import CHART_INTERVALS, PreviewBars
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.series import shown_venues

__all__ = ["get_embedded_chart"]


@get("/embed/chart", sync_to_thread=True)
def get_embedded_chart(
    request: Request[Any, Any, Any], service: NamedDependency[Service], preview_bars: NamedDependency[PreviewBars]
) -> Response[bytes]:
    """Answer with a chart alone: of the preview, whatever symbol and days the address names."""
    shown = preview_bars.shown
    venues = []
    if shown is not None:
        with service.lake.engine.connect() as connection:
            venues = shown_venues(connection, shown)
    if shown is None or not venues:
        nothing = InvalidInputError("This installation shows no data.", code="no_preview", hint="Use an API key.")
        raise RequestError([nothing], status=HTTP_404_NOT_FOUND)
    choice = read_choice(request.scope["query_string"], venues, shown)
    state = {
        "panes": choice.panes,
        "interval": choice.interval if choice.interval in CHART_INTERVALS else Interval.H1,
        "timestamp": choice.timestamp,
        "style": choice.style,
        "exchange": choice.exchange,
        "compare": choice.compare or "",
        "symbol": shown.symbol,
        "start_date": shown.start.isoformat(),
        "end_date": shown.end.isoformat(),
    }
    return render_page(
        request,
        service,
        "embed.html",
        title=f"{shown.symbol} on {choice.exchange}",
        description="A chart of Aperiodic.",
        frame_ancestors=service.settings.embed_origins,
        choice=choice,
        shown=shown,
        source=preview_bars.source(),
        state=msgspec.json.encode(state).decode(),
        described=msgspec.json.encode(_described(choice)).decode(),
    )


def _described(choice: Choice) -> dict[str, dict[str, str]]:
    """Return what the drawn fields are called, their units and, of heat maps, their rows."""
    found = {}
    for metric, name in choice.panes:
        heat = heat_map(metric, name)
        if heat is not None:
            found[f"{metric}.{name}"] = {"title": heat.label, "unit": heat.unit, "heat": heat.for_script}
            continue
        field = next(field for field in DATASETS[metric].fields if field.name == name)
        found[f"{metric}.{name}"] = {"title": field.label, "unit": field.unit, "heat": ""}
    return found
