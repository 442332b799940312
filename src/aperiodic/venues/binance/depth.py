"""Keeping one instrument's order book in step with its numbered updates.

| step | futures | spot | source |
|---|---|---|---|
| updates before the snapshot | buffered | buffered | Binance, "How to manage a local order book correctly" |
| dropped after it | `u < lastUpdateId` | `u <= lastUpdateId` | the same |
| first one kept | `U <= lastUpdateId <= u`, or `pu == lastUpdateId` | `U <= lastUpdateId + 1 <= u` | the same; recordings |
| every later one | `pu` = previous `u` | `U` = previous `u` + 1 | the same |

Both venues say the same thing in other words: an update holds the absolute levels that the numbers (after, last]
changed, with after = `pu` or `U - 1`; it may be applied to a book known at any number in [after, last).
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.venues.book import Book, Changes
from aperiodic.venues.events import RESTART_SLACK_US, Levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.venues.binance.messages import DepthSnapshot

__all__ = ["DepthChange", "DepthSync", "Outcome"]

_MAX_RECENT: Final = 1_000
_CUT_DEPTHS: Final = frozenset({5, 10, 20, 50, 100, 500, 1000, 5000})


class DepthChange(NamedTuple):
    """One update: the absolute levels that the numbers (after, last] changed; `first` is the venue's own `U`.

    `time` is its exchange time, µs.
    """

    first: int
    after: int
    last: int
    changes: Changes
    time: int = 0


class Outcome(Enum):
    """What an update did to the book."""

    CHANGED = auto()  # applied, and one of the best 25 levels changed
    APPLIED = auto()  # applied, and the best 25 levels are as before
    REPEATED = auto()  # seen before
    UNKNOWN = auto()  # kept aside: the book is not known
    BREAK = auto()  # the same, and the book was known before: updates are missing


class DepthSync:
    """One instrument's book.

    Attributes:
        book: The book, None while unknown.
        last: Number of the last update in it.
        restarts: How often the numbers have begun anew.
    """

    def __init__(
        self,
        *,
        restore: Callable[[int], Levels | None] = lambda _sequence: None,
        applied: Callable[[int, Book], None] | None = None,
    ) -> None:
        """Begin without a book.

        Args:
            restore: Returns the whole book after an update that an earlier recording ended with, if there is one.
            applied: Called with number and book after every applied update, replayed ones included.
        """
        self.book: Book | None = None
        self.last = -1
        self.restarts = 0
        self._restore = restore
        self._applied = applied
        # Always an unbroken chain: a snapshot is taken over by replaying what came after it.
        self._recent: deque[DepthChange] = deque(maxlen=_MAX_RECENT)
        self._snapshot: DepthSnapshot | None = None
        self._lower: DepthSnapshot | None = None

    def update(self, change: DepthChange) -> Outcome:
        """Take the next update of the stream."""
        outcome = Outcome.UNKNOWN
        if self._recent:
            newest = self._recent[-1].last
            if change.last <= newest and change.time <= self._recent[-1].time + RESTART_SLACK_US:
                return Outcome.REPEATED
            if change.last <= newest:
                outcome = Outcome.UNKNOWN if self.book is None else Outcome.BREAK
                self._restart()
            elif change.after > newest:
                self._recent.clear()
                if self.book is not None:
                    self.book = None
                    outcome = Outcome.BREAK
        self._recent.append(change)
        if self.book is None:
            before = self._restore(change.after)
            self.book = None if before is None else Book(before)
        if self.book is not None:
            outcome = self._apply(self.book, change)
        if self._snapshot is not None and change.last >= self._snapshot.number:
            adopted = self._adopt(self._snapshot)
            if adopted is not None and outcome in {Outcome.UNKNOWN, Outcome.BREAK}:
                outcome = adopted
        return outcome

    def snapshot(self, answer: DepthSnapshot) -> None:
        """Take a REST answer: it makes an unknown book known, and a known one known to its full depth again."""
        if self._recent and self._recent[-1].last >= answer.number:
            # An answer that is below the whole chain may be the first word of a new count.
            self._lower = answer if self._adopt(answer) is None else None
        else:
            self._snapshot = answer

    def continues(self, number: int) -> bool:
        """Whether the latest updates carry on from a book known after update `number`."""
        return any(_continues(change, number) for change in self._recent)

    @property
    def seen(self) -> bool:
        """Whether any update has come."""
        return bool(self._recent)

    def _restart(self) -> None:
        self.restarts += 1
        self._recent.clear()
        self.book = None
        self._snapshot, self._lower = self._lower, None
        # Books kept at the end of earlier recordings go by the old numbers.
        self._restore = lambda _sequence: None

    def _adopt(self, answer: DepthSnapshot) -> Outcome | None:
        self._snapshot = None
        number = answer.number
        later = [change for change in self._recent if change.last > number]
        if not (_continues(later[0], number) if later else self._recent[-1].last == number):
            return None
        known = self.book is not None
        book = Book(_levels(answer))
        self.last = number
        outcome = Outcome.APPLIED
        for change in later:
            outcome = self._apply(book, change, silent=known)
        self.book = book
        return outcome

    def _apply(self, book: Book, change: DepthChange, *, silent: bool = False) -> Outcome:
        changed = book.apply(change.changes)
        self.last = change.last
        if self._applied is not None and not silent:
            self._applied(change.last, book)
        return Outcome.CHANGED if changed else Outcome.APPLIED


def _continues(change: DepthChange, number: int) -> bool:
    return change.first <= number <= change.last or change.after <= number < change.last


def _levels(answer: DepthSnapshot) -> Levels:
    bids, asks = answer.bids, answer.asks
    # An answer with exactly as many levels as can be asked for may have been cut there.
    return Levels(
        bids,
        asks,
        min(price for price, _ in bids) if len(bids) in _CUT_DEPTHS else None,
        max(price for price, _ in asks) if len(asks) in _CUT_DEPTHS else None,
    )
