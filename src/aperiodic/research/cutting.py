"""Where bars of trades begin and end; what has been cut so far goes on with the next frame."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

if TYPE_CHECKING:
    from aperiodic.market import Clock

__all__ = ["Counts", "Cutter", "Intervals", "Sums"]

_REACHED: Final = 1 - 1e-9
_AT_ONCE: Final = 500_000
"""Trades that are Python numbers at the same time."""


class Cutter(Protocol):
    """Numbers the bars."""

    @property
    def start(self) -> pl.Expr:
        """When a bar begins, made of its number `bar` and the time of its first trade, `first_time`."""
        ...

    @property
    def following(self) -> int | None:
        """Number of the bar of the next trade, where it is known before that trade is."""
        ...

    def numbers(self, trades: pl.DataFrame) -> pl.Series:
        """Return the number of the bar of each of the trades that follow those before; it never falls."""
        ...


class Intervals:
    """Cuts where an interval begins."""

    following: int | None = None

    def __init__(self, length: timedelta, clock: Clock) -> None:
        self._length_us = length // timedelta(microseconds=1)
        self._column = clock.column

    @property
    def start(self) -> pl.Expr:
        """When a bar begins."""
        return (pl.col("bar") * self._length_us).cast(pl.Datetime("us"))

    def numbers(self, trades: pl.DataFrame) -> pl.Series:
        """Return the number of the bar of each trade."""
        return trades.get_column(self._column).to_physical() // self._length_us


class Counts:
    """Cuts after every so many trades."""

    start: pl.Expr = pl.col("first_time")

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0

    @property
    def following(self) -> int | None:
        """Number of the bar of the next trade."""
        return self._count // self._size

    def numbers(self, trades: pl.DataFrame) -> pl.Series:
        """Return the number of the bar of each trade."""
        first, self._count = self._count, self._count + trades.height
        return pl.int_range(first, self._count, eager=True) // self._size


class Sums:
    """Cuts with the trade that brings a sum to a size, from which the next sum begins at zero.

    The sum is that of one trade after the other from the first one of the bar, so that it does not depend on how they
    are cut into frames.
    """

    start: pl.Expr = pl.col("first_time")

    def __init__(self, size: float, value: pl.Expr) -> None:
        self._reached = size * _REACHED
        self._value = value
        self._bar = 0
        self._total = 0.0

    @property
    def following(self) -> int | None:
        """Number of the bar of the next trade."""
        return self._bar

    def numbers(self, trades: pl.DataFrame) -> pl.Series:
        """Return the number of the bar of each trade."""
        values = trades.select(self._value).to_series()
        ends: list[int] = []
        first, total, reached = self._bar, self._total, self._reached
        for offset in range(0, len(values), _AT_ONCE):
            for place, value in enumerate(values[offset : offset + _AT_ONCE].to_list(), offset):
                total += value
                if total >= reached:
                    ends.append(place)
                    total = 0.0
        self._bar, self._total = first + len(ends), total
        # The number of ends before a trade is that of the bars before its own.
        rows = pl.int_range(len(values), eager=True)
        return pl.Series(ends, dtype=pl.Int64).search_sorted(rows, side="left").cast(pl.Int64) + first
