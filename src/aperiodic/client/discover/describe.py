"""`describe`: the catalog's words of a dataset or a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from aperiodic.client.discover.rendering import facts_html, table_html, table_text, text_width
from aperiodic.client.discover.words import known_words, read_words
from aperiodic.client.request import parse_text
from aperiodic.market import AperiodicDataError, InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from aperiodic.client.discover.words import DatasetWords, FieldWords

__all__ = ["Description", "describe_name"]

_DATASET: Final = ("dataset", "name", "category", "tier", "driving", "fields", "description")
_FIELD: Final = ("dataset", "field", "label", "unit", "description", "formula", "null", "type", "highlight")

_Found = list[tuple["DatasetWords", "FieldWords | None"]]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Description:
    """What the catalog says; plain text when printed, a table in a notebook.

    Attributes:
        name: What was described; empty for the whole catalog.
        kind: `catalog`, `dataset` or `field`.
        frame: The same as data. Of the catalog a row for each dataset: `dataset`, `name`, `category`, `tier`, `driving`,
            `fields` (how many), `description`. Otherwise a row for each field: `dataset`, `field`, `label`, `unit`,
            `description`, `formula`, `null` (when the value is null), `type` (of the column) and `highlight` (why to
            look at it first; empty for most).
    """

    name: str
    kind: Literal["catalog", "dataset", "field"]
    frame: pl.DataFrame
    _datasets: tuple[DatasetWords, ...]

    def __repr__(self) -> str:
        return str(self).rstrip()

    def __str__(self) -> str:
        width = text_width()
        if self.kind == "catalog":
            return table_text([(row["dataset"], row["name"], row["description"]) for row in self._rows()], width)
        if self.kind == "field":
            return "\n".join(table_text(_field_facts(row), width) for row in self._rows())
        rows = [(row["field"], row["unit"], row["description"]) for row in self._rows()]
        return f"{table_text(_dataset_facts(self._datasets[0]), width)}\n{table_text(rows, width)}"

    def _repr_html_(self) -> str:
        if self.kind == "catalog":
            rows = [[str(row[name]) for name in _DATASET] for row in self._rows()]
            return table_html(_DATASET, rows)
        if self.kind == "field":
            return "".join(facts_html(_field_facts(row)) for row in self._rows())
        shown = ("field", "label", "unit", "description", "formula", "null")
        rows = [[str(row[name]) for name in shown] for row in self._rows()]
        return facts_html(_dataset_facts(self._datasets[0])) + table_html(shown, rows)

    def _rows(self) -> list[dict[str, Any]]:
        return self.frame.to_dicts()


async def describe_name(name: str | None, ask: Callable[[], Awaitable[Mapping[str, Any]]]) -> Description:
    """Describe what is known here, or else what a server's catalog declares.

    Args:
        name: `dataset`, `dataset.field` or `field`, in whatever case; None for the catalog of this version.
        ask: Returns a server's catalog; called only for a name that is not known here.

    Raises:
        InvalidInputError: `unknown_name`, naming the nearest one.
    """
    known = known_words()
    if name is None:
        frame = pl.DataFrame([_dataset_row(item) for item in known], orient="row")
        return Description("", "catalog", frame, tuple(known))
    text = parse_text("name", name).casefold()  # as all names are
    found = _find(text, known)
    if not found:
        try:
            datasets = read_words(await ask())
        except AperiodicDataError as error:
            unknown = _unknown(text, known)
            hint = f"{unknown.hint} What else the server has could not be asked: {error.message}"
            raise InvalidInputError(unknown.message, code=unknown.code, hint=hint) from error
        found = _find(text, datasets)
        if not found:
            raise _unknown(text, [*known, *datasets])
    dataset, field = found[0]
    if field is None:
        return Description(text, "dataset", _field_frame([(dataset, item) for item in dataset.fields]), (dataset,))
    fields = [(dataset, field) for dataset, field in found if field is not None]
    return Description(text, "field", _field_frame(fields), tuple(dataset for dataset, _ in fields))


def _find(name: str, datasets: Sequence[DatasetWords]) -> _Found:
    """Return the dataset of a name, or else all fields of it."""
    whole: _Found = [(dataset, None) for dataset in datasets if dataset.id == name]
    return whole[:1] or [
        (dataset, field)
        for dataset in datasets
        for field in dataset.fields
        if name in {field.name, f"{dataset.id}.{field.name}"}
    ]


def _unknown(name: str, datasets: Sequence[DatasetWords]) -> InvalidInputError:
    dataset, dot, _ = name.partition(".")
    of_one = [f"{item.id}.{field.name}" for item in datasets if item.id == dataset for field in item.fields]
    if dot and of_one:
        return unknown_value("name", name, of_one)
    names = [field.name for item in datasets for field in item.fields]
    every = [f"{item.id}.{field.name}" for item in datasets for field in item.fields]
    return unknown_value("name", name, dict.fromkeys(every if dot else [*(item.id for item in datasets), *names]))


def _dataset_row(dataset: DatasetWords) -> dict[str, object]:
    return {
        "dataset": dataset.id,
        "name": dataset.name,
        "category": dataset.category,
        "tier": dataset.tier,
        "driving": dataset.driving,
        "fields": len(dataset.fields),
        "description": dataset.description,
    }


def _field_frame(fields: Sequence[tuple[DatasetWords, FieldWords]]) -> pl.DataFrame:
    rows = [(dataset.id, field.name, *(getattr(field, name) for name in _FIELD[2:])) for dataset, field in fields]
    return pl.DataFrame(rows, schema=dict.fromkeys(_FIELD, pl.String()), orient="row")


def _dataset_facts(dataset: DatasetWords) -> list[tuple[str, str]]:
    facts = [
        ("Dataset", dataset.id),
        ("Name", dataset.name),
        ("What it tells", dataset.description),
        ("Category", dataset.category),
        ("Plan tier", dataset.tier),
        ("Rows", f"one for each interval with an event of {dataset.driving}" if dataset.driving else ""),
        ("Intervals", " ".join(dataset.intervals)),
        ("Clocks", " ".join(dataset.clocks)),
        ("Look first at", ", ".join(field.name for field in dataset.fields if field.highlight)),
    ]
    return [(heading, text) for heading, text in facts if text]


def _field_facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Field", f"{row['dataset']}.{row['field']}"),
        ("Label", row["label"]),
        ("What it tells", row["description"]),
        ("Unit", row["unit"]),
        ("Formula", row["formula"]),
        ("Null", row["null"]),
        ("Type", row["type"]),
        ("Why look", row["highlight"]),
    ]
    return [(heading, text) for heading, text in facts if text]
