"""How far the mark price is from the index and from the last trade."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials_derivatives as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import variance

_NO_INDEX: Final = "no index price of the last 24 hours"
_NO_TRADE: Final = "no trade of the last 24 hours"

_basis = p.mark_price - p.index_price
_spread = p.mark_price - p.last_price

BASIS = Dataset(
    id="basis",
    name="Basis",
    category=Category.DERIVATIVES,
    tier=1,
    family=Family.MARK_PRICE,
    description="Mark price against index price and last trade price, at every mark price update.",
    fields=(
        Field(
            "basis",
            "Basis",
            Unit.PRICE,
            "Mark price minus index price at the last mark price update: the premium of the derivative over spot.",
            "mark - index",
            _basis,
            null=_NO_INDEX,
        ),
        Field(
            "basis_bps",
            "Basis (bps)",
            Unit.BASIS_POINTS,
            "The basis relative to the index price, comparable across instruments.",
            "(mark - index) / index · 10,000",
            ratio(_basis, p.index_price) * 10_000,
            null=f"{_NO_INDEX}, or it is 0",
            highlight="The premium of the derivative over its index, comparable across instruments: a reading of the "
            "demand for leverage.",
        ),
        Field(
            "mark_price_spread",
            "Mark-Last Spread",
            Unit.PRICE,
            "Mark price minus last trade price at the last mark price update: positive when trading is below the mark "
            "that margins are computed from.",
            "mark - last",
            _spread,
            null=_NO_TRADE,
        ),
        Field(
            "mark_price_spread_bps",
            "Mark-Last Spread (bps)",
            Unit.BASIS_POINTS,
            "The same relative to the last trade price.",
            "(mark - last) / last · 10,000",
            ratio(_spread, p.last_price) * 10_000,
            null=_NO_TRADE,
            highlight="Far from 0 when trading has left the mark that margins are computed from, as it does in "
            "liquidations.",
        ),
        Field(
            "basis_mean",
            "Mean Basis",
            Unit.PRICE,
            "Average basis over the mark price updates of the interval, every update counting once.",
            "mean of mark - index",
            ratio(p.basis_sum, p.basis_count),
            null=_NO_INDEX,
        ),
        Field(
            "basis_bps_std",
            "Basis Std (bps)",
            Unit.BASIS_POINTS,
            "How much the basis moved within the interval: sample standard deviation over its mark price updates.",
            "sample std of (mark - index) / index · 10,000",
            variance(p.basis_bps_count, p.basis_bps_square_sum).sqrt(),
            null="index price known at fewer than two mark price updates of the interval",
            highlight="How unsteady the premium was within the bar: it rises when derivative and index move out of "
            "step.",
        ),
        Field(
            "mark_price_spread_mean",
            "Mean Mark-Last Spread",
            Unit.PRICE,
            "Average of mark price minus last trade price over the mark price updates of the interval.",
            "mean of mark - last",
            ratio(p.spread_sum, p.spread_count),
            null=_NO_TRADE,
        ),
        Field(
            "mark_price_spread_bps_std",
            "Mark-Last Spread Std (bps)",
            Unit.BASIS_POINTS,
            "How much that spread moved within the interval: sample standard deviation over its mark price updates.",
            "sample std of (mark - last) / last · 10,000",
            variance(p.spread_bps_count, p.spread_bps_square_sum).sqrt(),
            null="a trade known at fewer than two mark price updates of the interval",
        ),
    ),
)
