"""The fields of a dataset to look at first, each with a picture of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.market import Interval
from aperiodic.server.site.sparklines import sparkline

if TYPE_CHECKING:
    from markupsafe import Markup

    from aperiodic.catalog import Dataset, Field
    from aperiodic.server.site.preview_bars import PreviewBars

__all__ = ["highlights"]

_INTERVAL: Final = Interval.H4
_PRICE: Final = "price of the candle"
"""A name that no field has."""


def highlights(declared: Dataset, preview_bars: PreviewBars) -> list[tuple[Field, Markup | None]]:
    """Return the highlighted fields, each drawn over the price of the preview; None without data to draw.

    Args:
        declared: The dataset.
        preview_bars: What may be shown to everyone.

    Raises:
        LakeError: Store or ledger failed.
    """
    fields = declared.highlights
    bars = preview_bars.frame(declared, _INTERVAL)
    if bars.is_empty():
        return [(field, None) for field in fields]
    candles = preview_bars.frame(DATASETS["ohlcv"], _INTERVAL).rename({"close": _PRICE}).select(TIME_COLUMN, _PRICE)
    joined = bars.join(candles, on=TIME_COLUMN, how="full", coalesce=True).sort(TIME_COLUMN)
    prices = joined[_PRICE].to_list()
    return [
        (field, sparkline(joined[field.name].to_list(), prices, f"{field.label} and price, {_INTERVAL} bars"))
        for field in fields
    ]
