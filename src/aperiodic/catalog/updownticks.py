"""Trades at higher, lower and unchanged prices."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

_WORDS: Final = {
    "uptick": "at a higher price than the trade before",
    "downtick": "at a lower price than the trade before",
    "unchanged": "at the price of the trade before",
}
_CONDITION: Final = {"uptick": "pᵢ > pᵢ₋₁", "downtick": "pᵢ < pᵢ₋₁", "unchanged": "pᵢ = pᵢ₋₁"}
_COUNT: Final = {"uptick": p.uptick_count, "downtick": p.downtick_count, "unchanged": p.unchanged_count}
_VOLUME: Final = {"uptick": p.uptick_volume, "downtick": p.downtick_volume, "unchanged": p.unchanged_volume}
_NO_PAIR: Final = "a single trade"
_COUNT_HIGHLIGHTS: Final = {
    "unchanged": "Share of trades that did not move the price: high where the book is deep or the tick is wide, falling "
    "when depth goes.",
}
_VOLUME_HIGHLIGHTS: Final = {
    "uptick": "Share of volume that lifted the price: a reading of pressure that needs no taker side, to set against "
    "`taker_buy_sell_percentage` of `flow`.",
}


def _count(tick: str) -> Field:
    return Field(
        f"{tick}_count",
        f"{tick.title()} Count",
        Unit.COUNT,
        f"Number of trades {_WORDS[tick]}, within the interval.",
        f"number of trades i ≥ 2 with {_CONDITION[tick]}",
        _COUNT[tick],
        integer=True,
    )


def _volume(tick: str) -> Field:
    return Field(
        f"{tick}_volume",
        f"{tick.title()} Volume",
        Unit.BASE,
        f"Amount of the trades {_WORDS[tick]}. The interval's first trade belongs to no tick.",
        f"Σ q over trades i ≥ 2 with {_CONDITION[tick]}",
        _VOLUME[tick],
    )


def _count_percentage(tick: str) -> Field:
    return Field(
        f"{tick}_count_percentage",
        f"{tick.title()} Count %",
        Unit.FRACTION,
        f"Share, by number, of the trades {_WORDS[tick]}.",
        f"{tick}_count / (uptick_count + downtick_count + unchanged_count)",
        ratio(_COUNT[tick], p.uptick_count + p.downtick_count + p.unchanged_count),
        null=_NO_PAIR,
        highlight=_COUNT_HIGHLIGHTS.get(tick),
    )


def _volume_percentage(tick: str) -> Field:
    return Field(
        f"{tick}_volume_percentage",
        f"{tick.title()} Volume %",
        Unit.FRACTION,
        f"Share, by amount, of the trades {_WORDS[tick]}.",
        f"{tick}_volume / (uptick_volume + downtick_volume + unchanged_volume)",
        ratio(_VOLUME[tick], p.uptick_volume + p.downtick_volume + p.unchanged_volume),
        null=_NO_PAIR,
        highlight=_VOLUME_HIGHLIGHTS.get(tick),
    )


UPDOWNTICKS = Dataset(
    id="updownticks",
    name="Up / Down Tick Metrics",
    category=Category.TRADES,
    tier=2,
    family=Family.TRADES,
    description="How many trades, and how much volume, printed above, below and at the price of the trade before.",
    fields=(
        *(_count(tick) for tick in _WORDS),
        *(_volume(tick) for tick in _WORDS),
        Field(
            "uptick_downtick_volume_ratio",
            "Uptick/Downtick Volume Ratio",
            Unit.RATIO,
            "Volume on upticks per unit of volume on downticks.",
            "uptick_volume / downtick_volume",
            ratio(p.uptick_volume, p.downtick_volume),
            null="no downticks in the interval",
            highlight="Above 1 more volume printed on the way up. It is not symmetric: 2 and 0.5 are the same lean.",
        ),
        Field(
            "uptick_downtick_count_ratio",
            "Uptick/Downtick Count Ratio",
            Unit.RATIO,
            "Number of upticks per downtick.",
            "uptick_count / downtick_count",
            ratio(p.uptick_count, p.downtick_count),
            null="no downticks in the interval",
            highlight="The same by number of trades; where it disagrees with the volume ratio, small trades went one "
            "way and large ones the other.",
        ),
        *(_count_percentage(tick) for tick in _WORDS),
        *(_volume_percentage(tick) for tick in ("unchanged", "downtick", "uptick")),
    ),
)
