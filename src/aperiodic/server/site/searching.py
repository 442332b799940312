"""Search of the catalog: datasets and fields that fit every word, the best first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS
from aperiodic.catalog.synonyms import SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aperiodic.catalog import Dataset, Field

__all__ = ["MAX_LETTERS", "Found", "best_fields", "fit", "search", "split_words"]

MAX_LETTERS: Final = 80
"""How much of a text is looked for."""

_MAX_WORDS: Final = 8
_LEAST_INFIX: Final = 4
"""Letters of a word that may stand within another one; shorter ones, such as OI, begin words or are words."""

_NAME, _LABEL, _OTHER, _DESCRIPTION, _OF_DATASET = 6.0, 5.0, 6.5, 1.5, 0.5
_WHOLE, _BEGINNING, _WITHIN = 1.0, 0.7, 0.5
_ALL_OF_IT: Final = 10.0
"""What a name or a label that is the whole text gets more."""

_CLEAR: Final = 2.5
"""Least score a word of a field that is named by it, and not only described with it."""

_SPLIT: Final = re.compile(r"[^\w%]+|_")


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset that a search found.

    Attributes:
        dataset: The dataset.
        fields: Fields that fit, the best first; of a dataset that fits itself, those that are called so.
        score: How well it fits, or the best of its fields does.
    """

    dataset: Dataset
    fields: tuple[Field, ...]
    score: float


def search(text: str) -> list[Found]:
    """Return the datasets that fit every word of a text, themselves or by some of their fields, the best first.

    Case does not matter and underscores count as spaces; an empty text finds everything, in the order of the catalog.
    """
    words = split_words(text[:MAX_LETTERS])[:_MAX_WORDS]
    if not words:
        return [Found(declared, (), 0.0) for declared in DATASETS.values()]
    found = [found for declared in DATASETS.values() if (found := _find(declared, words)) is not None]
    return sorted(found, key=lambda item: -item.score)


def best_fields(text: str, most: int) -> list[tuple[Dataset, Field]]:
    """Return the fields that fit best, of any dataset, of those that are called so."""
    words = split_words(text[:MAX_LETTERS])[:_MAX_WORDS]
    scored = [
        (_field_score(declared, field, words), declared, field)
        for declared in DATASETS.values()
        for field in declared.fields
        if words
    ]
    clear = [item for item in scored if item[0] >= _CLEAR * len(words)]
    return [(declared, field) for _, declared, field in sorted(clear, key=lambda item: -item[0])[:most]]


def _find(declared: Dataset, words: list[str]) -> Found | None:
    own = _score(
        words,
        (
            (declared.id, _NAME),
            (declared.name, _LABEL),
            (SYNONYMS.get(declared.id, ""), _OTHER),
            (f"{declared.category} {declared.description}", _DESCRIPTION),
        ),
    )
    scored = [(score, field) for field in declared.fields if (score := _field_score(declared, field, words))]
    if own:
        scored = [(score, field) for score, field in scored if score >= _CLEAR * len(words)]
    if not own and not scored:
        return None
    scored.sort(key=lambda item: -item[0])
    return Found(declared, tuple(field for _, field in scored), max([own * 1.1, *(score for score, _ in scored)]))


def _field_score(declared: Dataset, field: Field, words: list[str]) -> float:
    return _score(
        words,
        (
            (field.name, _NAME),
            (field.label, _LABEL),
            (SYNONYMS.get(f"{declared.id}.{field.name}", ""), _OTHER),
            (f"{field.unit} {field.description}", _DESCRIPTION),
            (f"{declared.id} {declared.name}", _OF_DATASET),
        ),
    )


def _score(words: list[str], texts: Iterable[tuple[str, float]]) -> float:
    """Return how well words fit texts that count differently; 0 when one of them fits none."""
    parts = [(split_words(text), weight) for text, weight in texts]
    best = [max(weight * fit(word, there) for there, weight in parts) for word in words]
    if not all(best):
        return 0.0
    whole = any(there == words for there, weight in parts[:2])
    # Of names that hold the words, the one that says least besides.
    return sum(best) + len(words) / max(len(words), len(parts[0][0])) + (_ALL_OF_IT if whole else 0.0)


def fit(word: str, there: list[str]) -> float:
    """Return how well a word fits the words of a text, 0 to 1: is one, begins one, stands within one."""
    if word in there:
        return _WHOLE
    if any(other.startswith(word) for other in there):
        return _BEGINNING
    if len(word) >= _LEAST_INFIX and any(word in other for other in there):
        return _WITHIN
    return 0.0


def split_words(text: str) -> list[str]:
    """Return the words of a text: without case, split where names are."""
    plain = text.casefold().replace("'s ", " ").replace("\u2019s ", " ")
    return [word for word in _SPLIT.split(plain) if word]
