"""What changed in the definitions of datasets, for whoever compares files of different days.

An entry names the digest of each definition that it made; the newest entry of a dataset holds that of today, so that a
definition cannot change without an entry. Words of descriptions are not part of a definition.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.catalog.model import Dataset

__all__ = ["CHANGES", "DefinitionChange", "changes_of", "definition_digest"]

_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """A change of how datasets are defined.

    Attributes:
        day: When it was made.
        words: What changed, as Markdown.
        values: Whether values can differ from those of before; months that were published before are published anew.
        digests: Of the definitions that it made, by dataset.
    """

    day: date
    words: str
    values: bool
    digests: Mapping[str, str]


def changes_of(metric: str) -> list[DefinitionChange]:
    """Return the changes of a dataset, the newest first."""
    return [change for change in CHANGES if metric in change.digests]


def definition_digest(dataset: Dataset) -> str:
    """Return the digest of a dataset's definition: its streams; names, labels, units, formulas and null rules."""
    fields = (f"{field.name}\t{field.label}\t{field.unit}\t{field.formula}\t{field.null}" for field in dataset.fields)
    return hashlib.sha256("\n".join([dataset.id, *dataset.streams, *fields]).encode()).hexdigest()[:_DIGITS]


CHANGES: Final = (
    DefinitionChange(
        date(2026, 11, 28),
        "Formulas of the size buckets name their bounds. No value changed.",
        values=False,
        digests={
            "flow": "b05576fcb77b",
            "trade_size": "e78d315519bd",
        },
    ),
    DefinitionChange(
        date(2026, 11, 28),
        "Labels of the means begin with Avg. No value changed.",
        values=False,
        digests={
            "l1_imbalance": "7a6041777094",
        },
    ),
    DefinitionChange(
        date(2026, 11, 27),
        "Joins look back 24 hours at most: a price that is older is not known, and the field is null.",
        values=True,
        digests={
            "basis": "2d025c957597",
            "derivative_price": "c5bd84ce6070",
        },
    ),
    DefinitionChange(
        date(2026, 11, 27),
        "Returns are those of the decimal prices: nearly equal returns keep their digits, and `trendiness` is exactly 0 where a "
        "bar ends at the price it began with.",
        values=True,
        digests={
            "returns": "98c24c03a96a",
        },
    ),
    DefinitionChange(
        date(2026, 11, 21),
        "First definition.",
        values=False,
        digests={
            "flow": "eb0c557d3579",
            "trade_size": "4a7f961e1657",
            "range": "57ba9e62b902",
            "impact": "cfa67267d877",
            "updownticks": "507bf245f045",
            "run_structure": "deb95451c514",
            "returns": "263cbd8d40cc",
            "slippage": "7d2af9902401",
            "basis": "6501419b1176",
            "funding": "1d47aba1b891",
            "open_interest": "9b82a6ef1eac",
            "derivative_price": "7479136040eb",
            "ohlcv": "4f839a255add",
            "vtwap": "1b690015bc65",
            "l1_price": "0e13bc927413",
            "l1_imbalance": "df08eb9e356b",
            "l1_liquidity": "74a237d71c2d",
            "l2_imbalance": "bf90b3a9f606",
            "l2_liquidity": "5494048bf756",
        },
    ),
)
"""All of them, the newest first."""
