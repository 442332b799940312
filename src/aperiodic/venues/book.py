"""An order book kept from absolute levels: price → amount, and the best levels of each side."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aperiodic.market import BOOK_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Book", "Levels", "Side"]

Level: TypeAlias = "tuple[float, float]"


class Levels(NamedTuple):
    """A whole book, to begin from.

    Attributes:
        bids: (price, amount) of every known bid level, in any order.
        asks: The same of the asks.
        bid_floor: Deepest bid price down to which *all* levels are known; None when there is no such limit.
        ask_floor: The same of the asks, upwards.
    """

    bids: Sequence[Level]
    asks: Sequence[Level]
    bid_floor: float | None = None
    ask_floor: float | None = None


class Side:
    """One side of a book.

    A snapshot is cut at some depth, the floor. Beyond it only those levels are known that changed since.
    """

    __slots__ = ("_amounts", "_keys", "_sign", "best", "floor")

    def __init__(self, levels: Iterable[Level], floor: float | None, *, descending: bool) -> None:
        # Keys ascend from the best level to the deepest: prices for asks, negated prices for bids.
        self._sign = -1.0 if descending else 1.0
        self._amounts = {self._sign * price: amount for price, amount in levels if amount > 0}
        self._keys = sorted(self._amounts)
        self.floor = floor
        self.best = self._best()

    def apply(self, changes: Sequence[Level]) -> bool:
        """Set levels to absolute amounts (0 removes); return whether the best 25 levels changed."""
        keys, amounts, sign = self._keys, self._amounts, self._sign
        boundary = keys[BOOK_DEPTH - 1] if len(keys) >= BOOK_DEPTH else float("inf")
        touched = False
        for price, amount in changes:
            key = sign * price
            before = amounts.get(key)
            if amount > 0:
                if before == amount:
                    continue
                if before is None:
                    keys.insert(bisect_left(keys, key), key)
                amounts[key] = amount
            elif before is None:
                continue
            else:
                del amounts[key]
                del keys[bisect_left(keys, key)]
            if key <= boundary:
                touched = True
        if not touched:
            return False
        best = self._best()
        changed = best != self.best
        self.best = best
        return changed

    def levels(self) -> list[Level]:
        """All known levels, best first."""
        return [(self._sign * key, self._amounts[key]) for key in self._keys]

    @property
    def beyond_floor(self) -> bool:
        """Whether the best 25 levels reach deeper than the range in which every level is known."""
        deepest = self._keys[:BOOK_DEPTH][-1:]
        return self.floor is not None and bool(deepest) and deepest[0] > self._sign * self.floor

    def _best(self) -> tuple[float | None, ...]:
        flat: list[float | None] = []
        for key in self._keys[:BOOK_DEPTH]:
            flat += (self._sign * key, self._amounts[key])
        flat += [None] * (2 * BOOK_DEPTH - len(flat))
        return tuple(flat)


class Book:
    """Both sides of one instrument's book."""

    __slots__ = ("asks", "bids")

    def __init__(self, levels: Levels) -> None:
        self.bids = Side(levels.bids, levels.bid_floor, descending=True)
        self.asks = Side(levels.asks, levels.ask_floor, descending=False)

    def apply(self, bids: Sequence[Level], asks: Sequence[Level]) -> bool:
        """Apply the absolute levels of one update; return whether the best 25 of either side changed."""
        bids_changed = self.bids.apply(bids)
        return self.asks.apply(asks) or bids_changed

    @property
    def beyond_floor(self) -> bool:
        """Whether the best 25 levels of a side reach deeper than a snapshot did: some may be missing."""
        return self.bids.beyond_floor or self.asks.beyond_floor

    @property
    def best(self) -> tuple[float | None, ...]:
        """Price and amount of the best 25 bids, then of the best 25 asks, best first; None where the book ends."""
        return self.bids.best + self.asks.best

    def levels(self) -> Levels:
        """The whole book, to carry on from later."""
        return Levels(self.bids.levels(), self.asks.levels(), self.bids.floor, self.asks.floor)
