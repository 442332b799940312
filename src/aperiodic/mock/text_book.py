"""A whole order book kept as the venue wrote it, so that snapshots say what the stream said."""

from __future__ import annotations

import heapq
import zlib
from collections import deque
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.mock.messages import BookChange

__all__ = ["TextBook", "checksum"]

_MOST_WAITING: Final = 5_000
_CHECKED_LEVELS: Final = 25


class TextBook:
    """One instrument's book.

    Attributes:
        known: Whether the whole book is known.
        number: Number of the last change in it; None where the venue does not number.
        time: Exchange time of it, ms.
    """

    __slots__ = ("_asks", "_bids", "_waiting", "known", "number", "time")

    def __init__(self) -> None:
        self.known = False
        self.number: int | None = None
        self.time = 0
        self._bids: dict[str, Sequence[str]] = {}
        self._asks: dict[str, Sequence[str]] = {}
        self._waiting: deque[BookChange] = deque(maxlen=_MOST_WAITING)

    def apply(self, change: BookChange) -> None:
        """Take a change or a whole book, in the order in which the venue tells them."""
        if change.whole:
            self._adopt(change)
            return
        if not self.known:
            self._waiting.append(change)
            return
        if change.last is not None and self.number is not None:
            follows = change.after is None or change.after <= self.number
            if follows and change.after != self.number and change.last <= self.number:
                return
            if not follows:
                self.known = False
                self._waiting.clear()
                self._waiting.append(change)
                return
        self._change(change)

    def copy(self) -> TextBook:
        """Return the book as it is now."""
        other = TextBook()
        other.known, other.number, other.time = self.known, self.number, self.time
        other._bids, other._asks = dict(self._bids), dict(self._asks)
        return other

    def bids(self, most: int | None = None) -> list[Sequence[str]]:
        """Return the best bids, best first, as the venue wrote them."""
        return _best(self._bids, most, descending=True)

    def asks(self, most: int | None = None) -> list[Sequence[str]]:
        """Return the best asks, best first, as the venue wrote them."""
        return _best(self._asks, most, descending=False)

    def _adopt(self, whole: BookChange) -> None:
        number = whole.last
        if (
            self.known
            and number is not None
            and self.number is not None
            and whole.after is None
            and number <= self.number
        ):
            return  # An answer that came late: the stream is further, and its changes are in the book.
        self._bids = {row[0]: row for row in whole.bids if float(row[1])}
        self._asks = {row[0]: row for row in whole.asks if float(row[1])}
        self.known, self.number, self.time = True, number, whole.time
        later = [change for change in self._waiting if number is not None and (change.last or 0) > number]
        self._waiting.clear()
        for change in later:
            self.apply(change)

    def _change(self, change: BookChange) -> None:
        for side, rows in ((self._bids, change.bids), (self._asks, change.asks)):
            for row in rows:
                if float(row[1]):
                    side[row[0]] = row
                else:
                    side.pop(row[0], None)
        if change.last is not None:
            self.number = change.last
        self.time = change.time


def checksum(bids: Sequence[Sequence[str]], asks: Sequence[Sequence[str]]) -> int:
    """Return OKX' CRC32 of the best 25 levels of a side, as a signed number of 32 bits."""
    pairs = zip_longest(bids[:_CHECKED_LEVELS], asks[:_CHECKED_LEVELS])
    texts = [f"{row[0]}:{row[1]}" for pair in pairs for row in pair if row is not None]
    unsigned = zlib.crc32(":".join(texts).encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned


def _best(side: dict[str, Sequence[str]], most: int | None, *, descending: bool) -> list[Sequence[str]]:
    def price(row: Sequence[str]) -> float:
        return float(row[0])

    if most is None or most >= len(side):
        return sorted(side.values(), key=price, reverse=descending)
    choose = heapq.nlargest if descending else heapq.nsmallest
    return choose(most, side.values(), key=price)
