"""Keeping one swap's order book in step with its frames.

| frames | how they chain | source |
|---|---|---|
| until 2022 | a snapshot, then changes; each tells the CRC32 of the best 25 levels | recordings |
| since | `prevSeqId` = `seqId` of the frame before; -1 on a snapshot | OKX, Order book channel |
| | `prevSeqId` = `seqId`: a sign of life, nothing changed | the same |
| | `seqId` < `prevSeqId`: numbers start anew after maintenance | the same |
| | `seqId` as before, `prevSeqId` lower: told again | the same |
| no snapshot on the channel | REST `books`; kept from the frame with `prevSeqId` ≤ its `seqId` < `seqId` on | the same |
| since 2026-06-23 | the checksum is always 0 and says nothing | OKX, changelog |

Amounts in the book are contracts, as sent.
"""

from __future__ import annotations

import zlib
from collections import deque
from enum import Enum, auto
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from aperiodic.venues.book import Book, Changes
from aperiodic.venues.book_kernel import FLAT
from aperiodic.venues.events import Levels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.venues.events import Level
    from aperiodic.venues.okx import messages as wire

    Texts: TypeAlias = tuple[dict[float, str], dict[float, str]]

__all__ = ["BookSync", "Outcome"]

_MAX_RECENT: Final = 1_000
_SLACK_MS: Final = 1_000


class Outcome(Enum):
    """What a frame did to the book."""

    CHANGED = auto()  # applied, and one of the best 25 levels changed
    APPLIED = auto()  # applied, and the best 25 levels are as before
    HEARTBEAT = auto()  # a sign of life
    REPEATED = auto()  # seen before
    UNKNOWN = auto()  # the book is not known
    BREAK = auto()  # the same, and it was known before: frames are missing
    MISMATCH = auto()  # the same: the checksum says that the book is wrong


class BookSync:
    """One swap's book.

    Attributes:
        book: The book, None while unknown; amounts in contracts.
        last: `seqId` of the last frame in it; None if frames have no numbers.
        restarts: How often the numbers have begun anew.
        verified: Frames whose checksum agreed.
    """

    def __init__(self, *, restore: Callable[[int], Levels | None] = lambda _sequence: None) -> None:
        """Begin without a book.

        Args:
            restore: Returns the whole book after a frame that an earlier recording ended with, if there is one.
        """
        self.book: Book | None = None
        self.last: int | None = None
        self.restarts = 0
        self.verified = 0
        self._restore = restore
        self._texts: Texts | None = None
        self._reached: deque[int] = deque(maxlen=_MAX_RECENT)
        # Frames in an unbroken chain, waiting for a REST answer.
        self._waiting: deque[wire.BookFrame] = deque(maxlen=_MAX_RECENT)
        self._answer: wire.BookFrame | None = None

    def snapshot(self, frame: wire.BookFrame, texts: wire.BookTexts | None) -> Outcome:
        """Take the whole book as the channel sends it; `texts` are wanted where the checksum is not 0."""
        before = None if self.book is None else self.book.best
        self._begin(_levels(frame), frame.number)
        if texts is not None:
            self._texts = ({}, {})
        book = self.book
        if book is None or not self._agrees(frame, texts, book):
            return self._forget(Outcome.MISMATCH)
        return Outcome.APPLIED if book.best == (before or (None,) * len(book.best)) else Outcome.CHANGED

    def update(self, frame: wire.BookFrame, texts: wire.BookTexts | None) -> Outcome:
        """Take changes: absolute amounts by price, 0 removes; `texts` are wanted while `checks`."""
        refused = self._chain(frame)
        book = self.book
        if refused is not None or book is None:
            return refused or Outcome.UNKNOWN
        changed = book.apply(_changes(frame))
        self._reach(frame.number)
        if not self._agrees(frame, texts, book):
            return self._forget(Outcome.MISMATCH)
        return Outcome.CHANGED if changed else Outcome.APPLIED

    def seed(self, answer: wire.BookFrame) -> None:
        """Take a REST answer: it makes an unknown book known, from the frame that carries on from it."""
        if self.book is not None or answer.number is None:
            return
        newest = self._waiting[-1] if self._waiting else None
        if newest is None or newest.number is None:
            self._answer = answer
        elif newest.number >= answer.number:
            self._adopt(answer, answer.number)
        elif answer.time >= newest.time - _SLACK_MS:  # else it goes by numbers from before they began anew
            self._answer = answer

    @property
    def checks(self) -> bool:
        """Whether the texts of levels are wanted, to verify checksums."""
        return self._texts is not None

    def _chain(self, frame: wire.BookFrame) -> Outcome | None:
        """Return why `frame` cannot be applied, None if it can."""
        number, previous = frame.number, frame.previous
        if number is None or previous is None:
            return None
        if number == previous:
            return Outcome.HEARTBEAT
        if self.book is None and not self._waits_for(number):
            return None if self._find(frame, previous) else Outcome.UNKNOWN
        if self.book is not None and previous == self.last:
            return None
        if self.book is None or number in self._reached:
            return Outcome.REPEATED
        self._waiting.append(frame)
        return self._forget(Outcome.BREAK)

    def _waits_for(self, number: int) -> bool:
        """Whether the frame of that number is the last that waits."""
        return bool(self._waiting) and self._waiting[-1].number == number

    def _find(self, frame: wire.BookFrame, previous: int) -> bool:
        """Make the book known up to just before `frame`, or keep the frame."""
        levels = self._restore(previous)
        if levels is not None:
            self._begin(levels, previous)
            return True
        if self._waiting and (self._waiting[-1].number != previous or (frame.number or 0) < previous):
            # Frames are missing, or the numbers begin anew: a REST answer from now on goes by the new ones.
            self._waiting.clear()
            self._answer = None if (frame.number or 0) < previous else self._answer
        answer = self._answer
        if answer is not None and answer.number is not None and frame.number is not None:
            if previous <= answer.number < frame.number:
                self._begin(_levels(answer), answer.number)
                return True
            if answer.number < previous:
                self._answer = None
        self._waiting.append(frame)
        return False

    def _adopt(self, answer: wire.BookFrame, number: int) -> None:
        later = [frame for frame in self._waiting if frame.number is not None and frame.number > number]
        first = later[0].previous if later else self._waiting[-1].number
        if first is None or first > number:
            return
        self._begin(_levels(answer), number)
        for frame in later:
            if self.book is not None:
                self.book.apply(_changes(frame))
            self._reach(frame.number)

    def _begin(self, levels: Levels, number: int | None) -> None:
        self.book = Book(levels)
        self._reach(number)
        self._texts = self._answer = None
        self._waiting.clear()

    def _forget(self, outcome: Outcome) -> Outcome:
        self.book = self._texts = None
        return outcome

    def _reach(self, number: int | None) -> None:
        if number is not None:
            if self.last is not None and number < self.last:
                self.restarts += 1
                self._reached.clear()
            self._reached.append(number)
        self.last = number

    def _agrees(self, frame: wire.BookFrame, texts: wire.BookTexts | None, book: Book) -> bool:
        held = self._texts
        if held is None or texts is None:
            return True
        for side, levels, written in zip(held, (frame.bids, frame.asks), (texts.bids, texts.asks), strict=True):
            for (price, amount, *_), (price_text, amount_text, *_) in zip(levels, written, strict=True):
                if amount > 0:
                    side[price] = f"{price_text}:{amount_text}"
                else:
                    side.pop(price, None)
        if frame.checksum == 0:
            return True
        agrees = _checksum(book, held) == frame.checksum
        self.verified += agrees
        return agrees


def _checksum(book: Book, texts: Texts) -> int:
    """CRC32 of bid, ask, bid, ask … of the best 25 levels, as a signed number of 32 bits."""
    best = book.best
    bids, asks = (
        [side[price] for price in side_best[::2] if price is not None]
        for side, side_best in zip(texts, (best[:FLAT], best[FLAT:]), strict=True)
    )
    ordered = (level for pair in zip_longest(bids, asks) for level in pair if level is not None)
    unsigned = zlib.crc32(":".join(ordered).encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned


def _levels(frame: wire.BookFrame) -> Levels:
    # The channel goes on to send every change within its depth, levels that move up into it included.
    return Levels(_pairs(frame.bids), _pairs(frame.asks))


def _changes(frame: wire.BookFrame) -> Changes:
    return Changes.of(_pairs(frame.bids), _pairs(frame.asks))


def _pairs(levels: Sequence[wire.Level]) -> list[Level]:
    return [level[:2] for level in levels]
