"""The catalog: `/catalog`, searched by `?q=`, narrowed by facets, and its results alone for htmx."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_303_SEE_OTHER

from aperiodic.catalog import DATASETS, Category, Dataset
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
from aperiodic.server.site.query import query_pairs, query_values
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
    is_part = request.headers.get("hx-request") == "true"
    pairs = query_pairs(request.scope["query_string"])
    address = f"/catalog?{urlencode(pairs)}" if pairs else "/catalog"
    if not is_part and len(query_pairs(request.scope["query_string"], keep_blank=True)) > len(pairs):
        return Response(b"", status_code=HTTP_303_SEE_OTHER, headers={"Location": address})  # what says nothing goes
    text = query.get("q", "").strip()[:MAX_LETTERS]
    facets = {name: query.get(name, "") for name in _FACETS}
    states = catalog_state.get()
    choices = _choices()
    asked = {name: value for name, value in facets.items() if value in choices[name]}  # others ask for nothing
    of_preview = {entry.metric for entry in service.settings.preview}
    found = search(text)
    symbols = fitting(text, known_symbols.get(held_ticks.get()))
    template = "catalog_results.html" if is_part else "catalog.html"
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
        groups=_groups([item for item in found if _has(item.dataset, asked, states, of_preview)]),
        is_found=bool(found),
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
    if is_part:
        answer.headers["HX-Push-Url"] = address
    return answer


def _groups(found: list[Found]) -> dict[Category, list[Found]]:
    """Return what was found by category: the category of the best first, within it the best first."""
    groups: dict[Category, list[Found]] = {}
    for item in found:
        groups.setdefault(item.dataset.category, []).append(item)
    return groups


def _choices() -> dict[str, Collection[str]]:
    """Return what can be asked for of each facet."""
    tiers = {str(declared.tier) for declared in DATASETS.values()}
    categories = {category.name.lower() for category in Category}
    return dict(zip(_FACETS, (categories, set(Exchange), tiers, _HAVE), strict=True))


def _has(
    declared: Dataset, asked: Mapping[str, str], states: Mapping[str, CardState], of_preview: Collection[str]
) -> bool:
    """Tell whether a dataset has what is asked for of every facet."""
    traits = _traits(declared, states.get(declared.id, CardState()), of_preview)
    return all(value in traits[name] for name, value in asked.items())


def _traits(declared: Dataset, state: CardState, of_preview: Collection[str]) -> dict[str, Collection[str]]:
    """Return what a dataset has of each facet."""
    have = [name for name, has in (("preview", declared.id in of_preview), ("live", state.live)) if has]
    names = ((declared.category.name.lower(),), state.exchanges, (str(declared.tier),), have)
    return dict(zip(_FACETS, names, strict=True))
