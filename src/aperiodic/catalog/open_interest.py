"""Open interest: how much of a derivative is held."""

from __future__ import annotations

from aperiodic.catalog import partials_derivatives as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import variance

_change = ratio(p.open_interest - p.first_open_interest, p.first_open_interest) * 100
_mark_change = ratio(p.mark_price - p.first_mark_price, p.first_mark_price) * 100

OPEN_INTEREST = Dataset(
    id="open_interest",
    name="Open Interest",
    category=Category.DERIVATIVES,
    tier=1,
    family=Family.OPEN_INTEREST,
    description="Amount of open contracts, how it changed, and how that compares with the price.",
    fields=(
        Field(
            "open_interest",
            "Open Interest",
            Unit.BASE,
            "Contracts held open, as last updated. Updates of zero are treated as missing.",
            "last open interest",
            p.open_interest,
            highlight="How much is held open. In base units, so for linear contracts a move of the price alone does not change it.",
        ),
        Field(
            "open_interest_pct_change",
            "Open Interest Change %",
            Unit.PERCENT,
            "Change from the first to the last update of the interval, in percent: positive when positions were "
            "opened on balance.",
            "(last - first) / first · 100",
            _change,
            highlight="Whether positions were opened or closed on balance, which volume cannot tell.",
        ),
        Field(
            "open_interest_volatility",
            "Open Interest Volatility",
            Unit.PERCENT,
            "How unequal the steps of open interest were: sample standard deviation of the percentage changes between "
            "consecutive updates of the interval, leaving out updates that repeat the value.",
            "sample std of (oiᵢ / oiᵢ₋₁ - 1) · 100 over updates with oiᵢ ≠ oiᵢ₋₁",
            variance(p.pct_change_count, p.pct_change_square_sum).sqrt(),
            null="fewer than two changes in the interval",
        ),
        Field(
            "oi_price_change_ratio",
            "OI/Price Change Ratio",
            Unit.RATIO,
            "How far open interest moved for each percent that the mark price moved between the interval's first and "
            "last update of open interest. Positive when positions grow with a rising price or shrink with a falling "
            "one.",
            "open_interest_pct_change / pct change of the mark price as of the first and the last update",
            ratio(_change, _mark_change),
            null="mark price unknown at the first update, or the same at the last",
            highlight="Sets opening and closing of positions against the price move. Small moves make it huge, so "
            "look at both parts as well.",
        ),
    ),
)
