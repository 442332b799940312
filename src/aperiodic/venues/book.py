"""An order book kept from absolute levels, and the best levels of each side."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aperiodic.market import BOOK_DEPTH
from aperiodic.venues.book_kernel import FLAT, read_levels, update_book
from aperiodic.venues.events import Levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aperiodic.venues.events import Level

__all__ = ["Book", "Changes", "LevelReader"]

_ROOM: Final = 256
"""Places that a side has beyond its first levels."""

_DEEPEST: Final = FLAT - 2


class Changes(NamedTuple):
    """Absolute levels that one update sets.

    Attributes:
        levels: Price and amount, a row each: bids, then asks; amount 0 removes.
        bids: How many rows are bids.
    """

    levels: NDArray[np.float64]
    bids: int

    @classmethod
    def of(cls, bids: Sequence[Level], asks: Sequence[Level]) -> Changes:
        """Take levels as pairs of price and amount."""
        return cls(np.array([*bids, *asks], dtype=np.float64).reshape(-1, 2), len(bids))


class LevelReader:
    """Reads the changed levels of both sides out of JSON text, if it is written as a venue writes it."""

    def __init__(self, begin: bytes, between: bytes) -> None:
        """Prepare to read.

        Args:
            begin: What stands before the first side's levels.
            between: What stands between the two sides.
        """
        self._begin = begin
        self._between = np.frombuffer(between, dtype=np.uint8)
        self._values = np.empty((1 << 14, 2))

    def read(self, text: bytes) -> tuple[Changes, bytes] | None:
        """Return the changes, the first side as bids, and the text without them.

        None where levels are written otherwise, are out of the range of prices and amounts, or are too many: such a
        text is to be read by other means.
        """
        found = text.find(self._begin)
        if found < 0 or not text.endswith(b"}"):
            return None
        n_bids, n, end = read_levels(
            np.frombuffer(text, dtype=np.uint8), found + len(self._begin), self._between, self._values
        )
        if end < 0:
            return None
        return Changes(self._values[:n].copy(), n_bids), text[:found] + text[end:]


class Book:
    """Both sides of one instrument's book."""

    __slots__ = ("_best", "_counts", "_floors", "_levels")

    def __init__(self, levels: Levels) -> None:
        sides = [_amounts(levels.bids, 1.0), _amounts(levels.asks, -1.0)]
        counts = [len(side) for side in sides]
        self._levels = np.empty((2, 2, max(counts) + _ROOM))
        self._counts = np.array(counts)
        self._floors = (levels.bid_floor, levels.ask_floor)
        self._best = np.full(2 * FLAT, np.nan)
        for number, side in enumerate(sides):
            keys = sorted(side)
            self._levels[number, 0, : len(keys)] = keys
            self._levels[number, 1, : len(keys)] = [side[key] for key in keys]
            best = [value for level in self._listed(number)[:BOOK_DEPTH] for value in level]
            self._best[number * FLAT : number * FLAT + len(best)] = best

    def apply(self, changes: Changes) -> bool:
        """Apply the absolute levels of one update; return whether the best 25 of either side changed."""
        outcome: int = update_book(self._levels, self._counts, self._best, changes.levels, changes.bids)
        if outcome < 0:
            before = self._levels
            room = before.shape[2]
            self._levels = np.empty((2, 2, 2 * room + len(changes.levels)))
            self._levels[:, :, :room] = before
            return self.apply(changes)
        return outcome > 0

    @property
    def beyond_floor(self) -> bool:
        """Whether the best 25 levels of a side reach deeper than a snapshot did: some may be missing."""
        bid_floor, ask_floor = self._floors
        if bid_floor is None and ask_floor is None:
            return False
        bid, ask = _deepest(self._best[:FLAT]), _deepest(self._best[FLAT:])
        # NaN, where a side is empty, is neither below nor above.
        return (bid_floor is not None and bid < bid_floor) or (ask_floor is not None and ask > ask_floor)

    @property
    def best(self) -> tuple[float | None, ...]:
        """Price and amount of the best 25 bids, then of the best 25 asks, best first; None where the book ends."""
        values = self._best.tolist()
        if not isnan(values[_DEEPEST]) and not isnan(values[-2]):
            return tuple(values)
        return tuple(None if isnan(value) else value for value in values)

    @property
    def top(self) -> tuple[float | None, ...]:
        """Price and amount of the best bid, then of the best ask; None where a side is empty."""
        item = self._best.item
        top = (item(0), item(1), item(FLAT), item(FLAT + 1))
        return tuple(None if isnan(value) else value for value in top)

    def levels(self) -> Levels:
        """The whole book, best levels first, to carry on from later."""
        return Levels(self._listed(0), self._listed(1), *self._floors)

    def _listed(self, side: int) -> list[Level]:
        keys, amounts = self._levels[side, :, : self._counts[side]][:, ::-1]
        held = amounts > 0
        prices = -keys[held] if side else keys[held]
        return list(zip(prices.tolist(), amounts[held].tolist(), strict=True))


def _amounts(levels: Sequence[Level], sign: float) -> dict[float, float]:
    return {sign * price: amount for price, amount in levels if amount > 0}


def _deepest(best: NDArray[np.float64]) -> float:
    price: float = best.item(_DEEPEST)
    if not isnan(price):
        return price
    known = best[::2][~np.isnan(best[::2])]
    return float(known[-1]) if known.size else np.nan
