"""The catalog: `/catalog`, searched by `?q=`, and its results alone for htmx."""

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.catalog import DATASETS, Category, Dataset, Field
from aperiodic.server.service import Service
from aperiodic.server.site.dataset import dataset_page
from aperiodic.server.site.preview_bars import PreviewBars
from aperiodic.server.site.query import query_values
from aperiodic.server.site.rendering import render_page

__all__ = ["Found", "get_catalog_page", "search"]

_MAX_WORDS: Final = 8
_MAX_LETTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset that a search found.

    Attributes:
        dataset: The dataset.
        fields: The fields that hold all the words; of a dataset found by its own words, those that are called so.
    """

    dataset: Dataset
    fields: tuple[Field, ...]


def search(text: str) -> list[Found]:
    """Return the datasets whose own words, or some of whose fields' words, hold every word of a text.

    Case does not matter and underscores count as spaces; an empty text finds everything. Datasets that are found by
    their own words come first.
    """
    words = [word for word in _plain(text[:_MAX_LETTERS]).split() if word][:_MAX_WORDS]
    by_name = [
        Found(declared, tuple(field for field in declared.fields if words and _holds(_field_name(field), words)))
        for declared in DATASETS.values()
        if _holds(_dataset_words(declared), words)
    ]
    named = {found.dataset.id for found in by_name}
    by_field = [
        Found(declared, fields)
        for declared in DATASETS.values()
        if declared.id not in named
        and (fields := tuple(field for field in declared.fields if _holds(_field_words(declared, field), words)))
    ]
    return by_name + by_field


@get("/catalog", sync_to_thread=True)
def get_catalog_page(
    request: Request[Any, Any, Any], service: NamedDependency[Service], preview_bars: NamedDependency[PreviewBars]
) -> Response[bytes]:
    """Answer with the catalog, with its part that a search replaces, or with a dataset (`?metric=`)."""
    query = query_values(request)
    if query.get("metric"):
        return dataset_page(request, service, preview_bars, query["metric"])
    text = query.get("q", "").strip()
    template = "catalog_results.html" if request.headers.get("hx-request") == "true" else "catalog.html"
    answer = render_page(
        request,
        service,
        template,
        title="Catalog",
        description=f"{len(DATASETS)} metric datasets of crypto market microstructure, every field explained.",
        text=text[:_MAX_LETTERS],
        groups=_groups(search(text)),
        field_count=sum(len(declared.fields) for declared in DATASETS.values()),
        preview=service.settings.preview,
        raw_preview=service.settings.raw_preview,
        categories={
            category: sum(declared.category is category for declared in DATASETS.values()) for category in Category
        },
    )
    answer.headers["Vary"] = "Accept-Encoding, HX-Request"
    return answer


def _groups(found: list[Found]) -> dict[Category, list[Found]]:
    groups = {category: [item for item in found if item.dataset.category is category] for category in Category}
    return {category: items for category, items in groups.items() if items}


def _dataset_words(declared: Dataset) -> str:
    return _plain(f"{declared.id} {declared.name} {declared.category} {declared.description}")


def _field_words(declared: Dataset, field: Field) -> str:
    return _plain(f"{declared.id} {field.name} {field.label} {field.unit} {field.description}")


def _field_name(field: Field) -> str:
    return _plain(f"{field.name} {field.label}")


def _plain(text: str) -> str:
    return text.casefold().replace("_", " ")


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)
