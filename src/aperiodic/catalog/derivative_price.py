"""The three prices of a derivative and how they moved together."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials_derivatives as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

_NO_INDEX: Final = "no index price of the last 24 hours"
_NO_TRADE: Final = "no trade of the last 24 hours"

_mark_change = ratio(p.mark_price - p.first_mark_price, p.first_mark_price) * 100
_index_change = ratio(p.known_index_price - p.first_index_price, p.first_index_price) * 100
_last_change = ratio(p.known_last_price - p.first_last_price, p.first_last_price) * 100

DERIVATIVE_PRICE = Dataset(
    id="derivative_price",
    name="Derivative Price",
    category=Category.DERIVATIVES,
    tier=1,
    family=Family.MARK_PRICE,
    description="Last, index and mark price at the mark price updates of the interval, and their changes.",
    fields=(
        Field(
            "last_price",
            "Last Price",
            Unit.PRICE,
            "Price of the latest trade at the last mark price update, also where that trade is older than the interval.",
            "last trade price as of the last mark price update",
            p.last_price,
            null=_NO_TRADE,
        ),
        Field(
            "index_price",
            "Index Price",
            Unit.PRICE,
            "The venue's index, an average of spot prices, at the last mark price update.",
            "index price as of the last mark price update",
            p.index_price,
            null=_NO_INDEX,
            highlight="The venue's own idea of spot, and what the derivative is tied to.",
        ),
        Field(
            "mark_price",
            "Mark Price",
            Unit.PRICE,
            "The price that margins and liquidations are computed from, as last updated.",
            "last mark price",
            p.mark_price,
            highlight="The price that decides margin calls and liquidations; it is smoother than trades, and not a "
            "price to trade at.",
        ),
        Field(
            "last_price_pct_change",
            "Last Price Change %",
            Unit.PERCENT,
            "Change of the last trade price from the first to the last mark price update of the interval, in percent. "
            "Updates at which the price is not known are passed over.",
            "(last - first) / first · 100 of last_price",
            _last_change,
            null=_NO_TRADE,
            highlight="The move of trading itself; a bar in which it is large and the mark's is not was a local "
            "dislocation.",
        ),
        Field(
            "index_price_pct_change",
            "Index Price Change %",
            Unit.PERCENT,
            "Change of the index price between the same updates, in percent. Updates at which the price is not known are passed over.",
            "(last - first) / first · 100 of index_price",
            _index_change,
            null=f"{_NO_INDEX}, or the first one is 0",
        ),
        Field(
            "mark_price_pct_change",
            "Mark Price Change %",
            Unit.PERCENT,
            "Change of the mark price from its first to its last update in the interval, in percent.",
            "(last - first) / first · 100 of mark_price",
            _mark_change,
            null="the first mark price is 0",
        ),
        Field(
            "mark_index_pct_change_ratio",
            "Mark/Index Change Ratio",
            Unit.RATIO,
            "How far the mark moved for each percent that the index moved: near 1 when it follows.",
            "mark_price_pct_change / index_price_pct_change",
            ratio(_mark_change, _index_change),
            null="index price unknown or unchanged",
            highlight="Near 1 while the mark follows its index; away from it the premium was moving, or the index "
            "hardly moved at all.",
        ),
        Field(
            "mark_last_pct_change_ratio",
            "Mark/Last Change Ratio",
            Unit.RATIO,
            "How far the mark moved for each percent that the last trade price moved.",
            "mark_price_pct_change / last_price_pct_change",
            ratio(_mark_change, _last_change),
            null="last trade price unknown or unchanged",
        ),
        Field(
            "index_last_pct_change_ratio",
            "Index/Last Change Ratio",
            Unit.RATIO,
            "How far the index moved for each percent that the last trade price moved.",
            "index_price_pct_change / last_price_pct_change",
            ratio(_index_change, _last_change),
            null="index price unknown, or last trade price unknown or unchanged",
        ),
    ),
)
