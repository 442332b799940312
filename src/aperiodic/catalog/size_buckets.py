"""How fields speak of the buckets of trades by notional, `partials.SIZE_BUCKETS`."""

from __future__ import annotations

from typing import Final

__all__ = ["BUCKET_BOUNDS", "BUCKET_WORDS", "MIXED_UNITS"]

BUCKET_WORDS: Final = {
    "small": "worth less than 100 quote units",
    "medium": "worth 100 to less than 1,000 quote units",
    "large": "worth 1,000 quote units or more",
}
BUCKET_BOUNDS: Final = {"small": "v < 100", "medium": "100 ≤ v < 1,000", "large": "v ≥ 1,000"}
"""The same in notation, with v for the notional."""

MIXED_UNITS: Final = (
    "Caution: it divides quote units by base units, as the original data source does, so it is not a fraction of 1 and "
    "grows with the price level."
)
