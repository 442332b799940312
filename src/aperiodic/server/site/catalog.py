"""The catalog: `/catalog`, searched by `?q=`, and its results alone for htmx."""

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Category
from aperiodic.server.openapi import Documents
from aperiodic.server.service import Service
from aperiodic.server.site.dataset import dataset_page
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.preview_state import held_entries
from aperiodic.server.site.query import query_values
from aperiodic.server.site.rendering import render_page
from aperiodic.server.site.searching import MAX_LETTERS, Found, best_fields, search

__all__ = ["get_catalog_page"]

_BEST: Final = 5


@get("/catalog", sync_to_thread=True)
def get_catalog_page(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    preview_bars: NamedDependency[PreviewBars],
    documents: NamedDependency[Documents],
) -> Response[bytes]:
    """Answer with the catalog, with its part that a search replaces, or with a dataset (`?metric=`)."""
    query = query_values(request)
    if query.get("metric"):
        return dataset_page(request, service, preview_bars, documents, query["metric"])
    text = query.get("q", "").strip()
    template = "catalog_results.html" if request.headers.get("hx-request") == "true" else "catalog.html"
    with service.lake.engine.connect() as connection:
        held = held_entries(connection, service.settings.preview)
    answer = render_page(
        request,
        service,
        template,
        title="Catalog",
        description=f"{len(DATASETS)} metric datasets of crypto market microstructure, every field explained.",
        text=text[:MAX_LETTERS],
        best=best_fields(text, _BEST),
        groups=_groups(search(text)),
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
