"""The first page: what this is, with a live chart of this installation's own data; and how to get started."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Category
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.server.queries.published import published_symbols
from aperiodic.server.service import Service
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.samples import samples, usual_parameters

__all__ = ["get_home", "get_started"]


@get("/get-started", sync_to_thread=True)
def get_started(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with the three steps from nothing to a data frame."""
    entry = next(iter(service.settings.preview), None)
    parameters = usual_parameters(DATASETS[entry.metric if entry else "ohlcv"], service.settings)
    key = service.settings.demo_key if parameters.preview else "YOUR-KEY"
    return render_page(
        request,
        service,
        "get_started.html",
        title="Get started",
        description="Install the client, take a key, fetch a frame: three steps, no account for the preview.",
        parameters=parameters,
        samples=lambda api: samples(parameters, api, key),
    )


@get("/", sync_to_thread=True)
def get_home(
    request: Request[Any, Any, Any], service: NamedDependency[Service], preview_bars: NamedDependency[PreviewBars]
) -> Response[bytes]:
    """Answer with the home page."""
    with service.lake.engine.connect() as connection:
        held = {venue: len(published_symbols(connection, venue)) for venue in Exchange}
    shown = preview_bars.shown
    entry = next(iter(service.settings.preview), None)
    parameters = usual_parameters(DATASETS[entry.metric], service.settings) if entry else None
    return render_page(
        request,
        service,
        "home.html",
        title="Crypto market microstructure, provably right",
        description="Order flow, price impact, order-book imbalance, funding and basis as tidy data frames: "
        "19 datasets, ten intervals, two clocks, every gap named.",
        shown=shown,
        source=preview_bars.source(),
        samples=lambda api: samples(parameters, api, service.settings.demo_key) if parameters else [],
        held=held,
        field_count=sum(len(declared.fields) for declared in DATASETS.values()),
        categories={category: [d for d in DATASETS.values() if d.category == category] for category in Category},
        intervals=list(Interval),
        clocks=list(Clock),
    )
