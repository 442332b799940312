"""The catalog: `/catalog`, searched by `?q=`, narrowed by facets, and its results alone for htmx."""

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Category
from aperiodic.market import Exchange
from aperiodic.server.api.raw_metadata import HeldTicks
from aperiodic.server.openapi import Documents
from aperiodic.server.service import Service
from aperiodic.server.site.catalog_state import CardState, CatalogState
from aperiodic.server.site.dataset import dataset_page
from aperiodic.server.site.found_pages import find_pages
from aperiodic.server.site.known_symbols import KnownSymbols, fitting
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.preview_state import held_entries
from aperiodic.server.site.query import query_values
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.searching import MAX_LETTERS, Found, best_fields, search

__all__ = ["get_catalog_page"]

_BEST: Final = 5
_SYMBOLS: Final = 8
_PAGES: Final = 5
_FACETS: Final = ("category", "venue", "tier", "have")
_HAVE: Final = ("preview", "live")


@get("/catalog", sync_to_thread=True)
def get_catalog_page(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    preview_bars: NamedDependency[PreviewBars],
    documents: NamedDependency[Documents],
    held_ticks: NamedDependency[HeldTicks],
    known_symbols: NamedDependency[KnownSymbols],
    catalog_state: NamedDependency[CatalogState],
) -> Response[bytes]:
    """Answer with the catalog, with its part that a search replaces, or with a dataset (`?metric=`)."""
    query = query_values(request)
    if query.get("metric"):
        return dataset_page(request, service, preview_bars, documents, query["metric"])
    text = query.get("q", "").strip()[:MAX_LETTERS]
    facets = {name: query.get(name, "") for name in _FACETS}
    states = catalog_state.get()
    symbols = fitting(text, known_symbols.get(held_ticks.get()))
    template = "catalog_results.html" if request.headers.get("hx-request") == "true" else "catalog.html"
    with service.lake.engine.connect() as connection:
        held = held_entries(connection, service.settings.preview)
    answer = render_page(
        request,
        service,
        template,
        title="Catalog",
        description=f"{len(DATASETS)} metric datasets of crypto market microstructure, every field explained.",
        text=text,
        facets=facets,
        states=states,
        symbols=symbols[:_SYMBOLS],
        symbols_total=len(symbols),
        pages=find_pages(text, _PAGES),
        best=best_fields(text, _BEST),
        groups=_groups([found for found in search(text) if _is_wanted(found, facets, states, service)]),
        is_found=bool(search(text)),
        venues=[exchange for exchange in Exchange if any(exchange in state.exchanges for state in states.values())],
        tiers=sorted({declared.tier for declared in DATASETS.values()}),
        shown=preview_bars.shown,
        field_count=sum(len(declared.fields) for declared in DATASETS.values()),
        preview=held,
        raw_preview=service.settings.raw_preview,
        categories={
            category: sum(declared.category is category for declared in DATASETS.values()) for category in Category
        },
    )
    answer.headers["Vary"] = "Accept-Encoding, HX-Request"
    return answer


def _groups(found: list[Found]) -> dict[Category, list[Found]]:
    """Return what was found by category: the category of the best first, within it the best first."""
    groups: dict[Category, list[Found]] = {}
    for item in found:
        groups.setdefault(item.dataset.category, []).append(item)
    return groups


def _is_wanted(found: Found, facets: Mapping[str, str], states: Mapping[str, CardState], service: Service) -> bool:
    """Tell whether a dataset has what every facet asks for; a value that no facet has asks for nothing."""
    declared = found.dataset
    state = states.get(declared.id, CardState())
    of_preview = {entry.metric for entry in service.settings.preview}
    names = {category.name.lower() for category in Category}
    tiers = {str(each.tier) for each in DATASETS.values()}
    return (
        (facets["category"] not in names or facets["category"] == declared.category.name.lower())
        and (facets["venue"] not in set(Exchange) or facets["venue"] in state.exchanges)
        and (facets["tier"] not in tiers or facets["tier"] == str(declared.tier))
        and (facets["have"] not in _HAVE or (declared.id in of_preview if facets["have"] == "preview" else state.live))
    )
