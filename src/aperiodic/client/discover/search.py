"""`search`: datasets and fields by words, also mistyped ones."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog.synonyms import SYNONYMS
from aperiodic.client.request import parse_text
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aperiodic.client.discover.words import DatasetWords

__all__ = ["RESULT", "search_words"]

RESULT: Final = pl.Schema(
    {
        "name": pl.String(),
        "kind": pl.String(),
        "label": pl.String(),
        "unit": pl.String(),
        "description": pl.String(),
        "score": pl.Float64(),
    }
)
"""Columns of what is found."""

_WORD: Final = re.compile(r"[^\W_]+")
_MOST_TEXT: Final = 200
_MOST_WORDS: Final = 12
_MOST_ROWS: Final = 10_000
_LEAST_LETTERS: Final = 3
"""Of a word that may be the beginning of another one."""

_ALIKE: Final = 0.75
_NAME, _LABEL, _DESCRIPTION, _OF_DATASET = 4.0, 3.0, 1.0, 0.5
_DATASET_FIRST: Final = 1.1
"""A dataset stands before its fields that fit as well."""

_Entry = tuple[tuple[str, str, str, str, str], dict[str, float]]


def search_words(text: str, datasets: Sequence[DatasetWords], limit: int) -> pl.DataFrame:
    """Return the datasets and fields that fit, the best first.

    Those that fit every word of the text come alone; where none does, those that fit any of them.

    Args:
        text: What to look for.
        datasets: What there is.
        limit: How many at most.

    Raises:
        InvalidInputError: `bad_text` without a word in it, `bad_limit`.
    """
    words = list(dict.fromkeys(_words(parse_text("text", text)[:_MOST_TEXT])))[:_MOST_WORDS]
    if not words:
        raise InvalidInputError("There is no word to look for.", code="bad_text", hint='Try search("imbalance").')
    if limit not in range(1, _MOST_ROWS + 1):
        raise InvalidInputError(
            f"limit is {limit!r}.", code="bad_limit", hint=f"Give a whole number from 1 to {_MOST_ROWS}."
        )
    entries = list(_entries(datasets))
    vocabulary = sorted({word for _, weights in entries for word in weights})
    alike = [_alike(word, vocabulary) for word in words]
    scored = [(row, [_best(weights, one) for one in alike]) for row, weights in entries]
    found = [(row, sum(each)) for row, each in scored if all(each)] or [
        (row, sum(each)) for row, each in scored if any(each)
    ]
    found = [(row, score * (_DATASET_FIRST if row[1] == "dataset" else 1.0)) for row, score in found]
    found.sort(key=lambda item: -item[1])  # what scores alike stays in catalog order
    rows = [(*row, round(score, 3)) for row, score in found[: int(limit)]]
    return pl.DataFrame(rows, schema=RESULT, orient="row")


def _entries(datasets: Sequence[DatasetWords]) -> Iterable[_Entry]:
    """Yield a row for each dataset and each field, with the words it is found by and how much each counts."""
    for dataset in datasets:
        texts = [
            (dataset.id, _NAME),
            (dataset.name, _LABEL),
            (SYNONYMS.get(dataset.id, ""), _LABEL),
            (f"{dataset.description} {dataset.category}", _DESCRIPTION),
        ]
        yield (dataset.id, "dataset", dataset.name, "", dataset.description), _weights(texts)
        for field in dataset.fields:
            texts = [
                (field.name, _NAME),
                (field.label, _LABEL),
                (SYNONYMS.get(f"{dataset.id}.{field.name}", ""), _LABEL),
                (f"{field.description} {field.highlight} {field.unit}", _DESCRIPTION),
                (f"{dataset.id} {dataset.name}", _OF_DATASET),
            ]
            row = (f"{dataset.id}.{field.name}", "field", field.label, field.unit, field.description)
            yield row, _weights(texts)


def _weights(texts: Iterable[tuple[str, float]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for text, weight in texts:
        for word in _words(text):
            weights[word] = max(weight, weights.get(word, 0.0))
    return weights


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _best(weights: Mapping[str, float], alike: Mapping[str, float]) -> float:
    return max((alike[word] * weight for word, weight in weights.items() if word in alike), default=0.0)


def _alike(wanted: str, vocabulary: Iterable[str]) -> dict[str, float]:
    """Return the words that could be meant by one, with how sure that is, up to 1."""
    return {word: likeness for word in vocabulary if (likeness := _likeness(wanted, word))}


def _likeness(wanted: str, word: str) -> float:
    if wanted == word:
        return 1.0
    shorter = min(len(wanted), len(word))
    if shorter >= _LEAST_LETTERS and (word.startswith(wanted) or wanted.startswith(word)):
        return 0.6 + 0.3 * shorter / max(len(wanted), len(word))
    if shorter <= _LEAST_LETTERS:
        return 0.0
    if wanted in word:
        return 0.5
    matcher = SequenceMatcher(None, wanted, word)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    ratio = matcher.ratio()
    return ratio * 0.6 if ratio >= _ALIKE else 0.0
