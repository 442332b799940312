"""The words of the catalog, of this version and of a server, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aperiodic.catalog import DATASETS
from aperiodic.market import Clock, Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aperiodic.catalog import Dataset, Field

__all__ = ["DatasetWords", "FieldWords", "known_words", "read_words"]

_MOST_TEXT: Final = 4_000
_MOST_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class FieldWords:
    """What the catalog says of a field.

    Attributes:
        name: Column name.
        label: Short name for people.
        description: What it tells.
        unit: Unit of the values.
        formula: The definition in mathematical notation.
        null: When the value is null.
        type: Polars type.
        highlight: Why to look at it first; empty for most.
    """

    name: str
    label: str
    description: str
    unit: str
    formula: str
    null: str
    type: str
    highlight: str


@dataclass(frozen=True, slots=True)
class DatasetWords:
    """What the catalog says of a dataset.

    Attributes:
        id: Name in functions and paths.
        name: Title for people.
        description: One line.
        category: Group it belongs to.
        tier: Lowest plan tier that includes it; empty when the server does not say.
        driving: Stream of ticks whose events decide which rows exist.
        intervals: Lengths of bars.
        clocks: Clocks.
        fields: Columns beside the time.
    """

    id: str
    name: str
    description: str
    category: str
    tier: str
    driving: str
    intervals: tuple[str, ...]
    clocks: tuple[str, ...]
    fields: tuple[FieldWords, ...]


def known_words() -> list[DatasetWords]:
    """Return what this version knows, in catalog order."""
    return [_dataset(declared) for declared in DATASETS.values()]


def read_words(body: Mapping[str, Any]) -> list[DatasetWords]:
    """Read a server's catalog; what cannot be read is left out, and texts that are missing are empty.

    Args:
        body: Answer of `/metadata/catalog`.
    """
    return [
        DatasetWords(
            id=_text(entry, "id"),
            name=_text(entry, "name"),
            description=_text(entry, "description"),
            category=_text(entry, "category"),
            tier=str(entry.get("tier", ""))[:20],
            driving=_text(entry, "driving"),
            intervals=_texts(entry.get("intervals")),
            clocks=_texts(entry.get("timestamps")),
            fields=tuple(_read_field(item) for item in _entries(entry.get("fields"), "name")),
        )
        for entry in _entries(body.get("metrics"), "id")
    ]


def _dataset(declared: Dataset) -> DatasetWords:
    return DatasetWords(
        id=declared.id,
        name=declared.name,
        description=declared.description,
        category=str(declared.category),
        tier=str(declared.tier),
        driving=str(declared.driving),
        intervals=tuple(map(str, Interval)),
        clocks=tuple(map(str, Clock)),
        fields=tuple(map(_field, declared.fields)),
    )


def _field(declared: Field) -> FieldWords:
    return FieldWords(
        name=declared.name,
        label=declared.label,
        description=declared.description,
        unit=str(declared.unit),
        formula=declared.formula,
        null=declared.null,
        type=str(declared.dtype),
        highlight=declared.highlight or "",
    )


def _read_field(entry: Mapping[str, Any]) -> FieldWords:
    return FieldWords(**{name: _text(entry, name) for name in FieldWords.__slots__})


def _entries(value: object, key: str) -> Sequence[Mapping[str, Any]]:
    items = value[:_MOST_ENTRIES] if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get(key), str) and item[key]]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return " ".join(value[:_MOST_TEXT].split()) if isinstance(value, str) else ""
