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
        if found < 0:
            return None
        n_bids, n, end = read_levels(
            np.frombuffer(text, dtype=np.uint8), found + len(self._begin), self._between, self._values
        )
        if end < 0:
            return None
        return Changes(self._values[:n].copy(), n_bids), text[:found] + text[end:]


class Book:
    """Both sides of one instrument's book."""

    __slots__ = ("_asks", "_best", "_bids", "_counts", "_floors")

    def __init__(self, levels: Levels) -> None:
        self._bids, bids = _side(levels.bids, 1.0)
        self._asks, asks = _side(levels.asks, -1.0)
        self._counts = np.array([bids, asks])
        self._floors = (levels.bid_floor, levels.ask_floor)
        self._best = np.array([*_best(self._bids, bids, 1.0), *_best(self._asks, asks, -1.0)])

    def apply(self, changes: Changes) -> bool:
        """Apply the absolute levels of one update; return whether the best 25 of either side changed."""
        outcome = update_book(self._bids, self._asks, self._counts, self._best, changes.levels, changes.bids)
        while outcome < 0:
            more = len(changes.levels)
            self._bids, self._asks = _grown(self._bids, more), _grown(self._asks, more)
            outcome = update_book(self._bids, self._asks, self._counts, self._best, changes.levels, changes.bids)
        return bool(outcome)

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
        bids, asks = self._counts.tolist()
        return Levels(_listed(self._bids, bids, 1.0), _listed(self._asks, asks, -1.0), *self._floors)


def _side(levels: Sequence[Level], sign: float) -> tuple[NDArray[np.float64], int]:
    amounts = {sign * price: amount for price, amount in levels if amount > 0}
    keys = sorted(amounts)
    side = np.empty((2, len(keys) + _ROOM))
    side[0, : len(keys)] = keys
    side[1, : len(keys)] = [amounts[key] for key in keys]
    return side, len(keys)


def _grown(side: NDArray[np.float64], more: int) -> NDArray[np.float64]:
    grown = np.empty((2, 2 * side.shape[1] + more))
    grown[:, : side.shape[1]] = side
    return grown


def _listed(side: NDArray[np.float64], count: int, sign: float) -> list[Level]:
    keys, amounts = side[:, :count][:, ::-1]
    held = amounts > 0
    return list(zip((sign * keys[held]).tolist(), amounts[held].tolist(), strict=True))


def _best(side: NDArray[np.float64], count: int, sign: float) -> list[float]:
    flat = [value for level in _listed(side, count, sign)[:BOOK_DEPTH] for value in level]
    return flat + [np.nan] * (FLAT - len(flat))


def _deepest(best: NDArray[np.float64]) -> float:
    price = best.item(_DEEPEST)
    if not isnan(price):
        return price
    known = best[::2][~np.isnan(best[::2])]
    return float(known[-1]) if known.size else np.nan
