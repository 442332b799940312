"""Which fields still hold in an interval without events.

A price, a rate, an amount on offer: a field that is made from the interval's last event alone is a state, and stands
until the next event. A sum, a count, an average or a change tells of the events of its own interval, and says nothing
of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import partials, partials_book, partials_derivatives, partials_quotes
from aperiodic.catalog.registry import DATASETS

if TYPE_CHECKING:
    from aperiodic.catalog.model import Dataset, Field

__all__ = ["carried_fields", "carried_names"]

_STATES: Final = frozenset(
    partial.meta.output_name()
    for partial in (
        partials.close_price,
        *(partials_quotes.bid_price, partials_quotes.bid_amount),
        *(partials_quotes.ask_price, partials_quotes.ask_amount),
        *(partials_book.bid_agg(depth) for depth in partials_book.DEPTHS),
        *(partials_book.ask_agg(depth) for depth in partials_book.DEPTHS),
        *(partials_derivatives.mark_price, partials_derivatives.index_price, partials_derivatives.last_price),
        *(partials_derivatives.funding_rate, partials_derivatives.open_interest),
    )
)
"""Partials that are of the last event of a bar."""

_OF_CANDLES: Final = (partials.open_price, partials.high_price, partials.low_price)


def carried_fields(dataset: Dataset) -> dict[str, str]:
    """Return the fields that have a value in an interval without events, and the field whose last value it is.

    That is the field itself, except in a candle, which is flat: its open, high and low are the last close.
    """
    close = next((field.name for field in dataset.fields if _is(field, partials.close_price)), None)
    carried = {}
    for field in dataset.fields:
        if _is_state(field):
            carried[field.name] = field.name
        elif close is not None and any(_is(field, price) for price in _OF_CANDLES):
            carried[field.name] = close
    return carried


def carried_names() -> dict[str, str]:
    """Return the same of all datasets, without names that are a state in one and not in another."""
    found: dict[str, set[str | None]] = {}
    for dataset in DATASETS.values():
        carried = carried_fields(dataset)
        for field in dataset.fields:
            found.setdefault(field.name, set()).add(carried.get(field.name))
    return {name: source for name, sources in found.items() if len(sources) == 1 for source in sources if source}


def _is(field: Field, partial: pl.Expr) -> bool:
    return isinstance(field.value, pl.Expr) and field.value.meta == partial.meta


def _is_state(field: Field) -> bool:
    return isinstance(field.value, pl.Expr) and _STATES.issuperset(field.value.meta.root_names())
