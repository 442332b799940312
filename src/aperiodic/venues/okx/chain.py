"""Watching the numbers of one swap's book without keeping the book; the rules are those of `book`."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from aperiodic.venues.feed import ChainState

__all__ = ["BookNumbers"]

_MAX_RECENT: Final = 1_000
_TAIL: Final = 400
_HEAD: Final = 200
_SEQUENCE: Final = re.compile(rb'"seqId":\s*(-?\d+)')
_PREVIOUS: Final = re.compile(rb'"prevSeqId":\s*(-?\d+)')
_SNAPSHOT: Final = re.compile(rb'"action":\s*"snapshot"')


class BookNumbers:
    """The numbers of one book, from one connection or from several that overlap.

    Attributes:
        state: What is known now.
    """

    __slots__ = ("_answer", "_order", "_reached", "_waiting", "state")

    def __init__(self) -> None:
        self.state = ChainState.WAITING
        self._answer: int | None = None
        self._order: deque[int] = deque()
        self._reached: set[int] = set()
        # (previous, number) of an unbroken chain that no snapshot is known of.
        self._waiting: deque[tuple[int, int]] = deque(maxlen=_MAX_RECENT)

    def see(self, frame: bytes, local: int) -> ChainState:
        """Take the next frame of `books`; one that cannot be read changes nothing."""
        del local
        number, previous = _last(_SEQUENCE, frame), _last(_PREVIOUS, frame)
        if number is None or previous is None:
            return self.state
        if _SNAPSHOT.search(frame, 0, _HEAD) is not None:
            self._begin(number)
        elif number == previous:
            pass  # a sign of life
        elif self.state is ChainState.KNOWN:
            if previous in self._reached:
                self._reach(number)
            elif number not in self._reached:
                self._forget()
                self._waiting.append((previous, number))
                self.state = ChainState.BROKEN
        else:
            self._wait(previous, number)
        return self.state

    def snapshot(self, body: bytes, local: int) -> ChainState:
        """Take an answer to `market/books`."""
        del local
        number = _last(_SEQUENCE, body)
        if number is None or self.state is ChainState.KNOWN:
            return self.state
        if not self._waiting or self._waiting[-1][1] < number:
            self._answer = number
            self.state = ChainState.WAITING
        else:
            self._adopt(number)
        return self.state

    def _wait(self, previous: int, number: int) -> None:
        if self._waiting and self._waiting[-1][1] != previous:
            if any(known == number for _, known in self._waiting):
                return
            self._waiting.clear()
        self._waiting.append((previous, number))
        if self._answer is not None:
            self._adopt(self._answer)
        elif self.state is ChainState.WAITING:
            self.state = ChainState.WANTS_SNAPSHOT

    def _adopt(self, number: int) -> None:
        later = [change for change in self._waiting if change[1] > number]
        if later and later[0][0] > number:
            self._answer = None
            self.state = ChainState.WANTS_SNAPSHOT
        elif not later and self._waiting and self._waiting[-1][1] < number:
            self.state = ChainState.WAITING
        else:
            self._begin(number)
            for _, reached in later:
                self._reach(reached)

    def _begin(self, number: int) -> None:
        if self.state is not ChainState.KNOWN:
            self._forget()
        self._waiting.clear()
        self._answer = None
        self._reach(number)
        self.state = ChainState.KNOWN

    def _reach(self, number: int) -> None:
        if number not in self._reached:
            self._reached.add(number)
            self._order.append(number)
            if len(self._order) > _MAX_RECENT:
                self._reached.discard(self._order.popleft())

    def _forget(self) -> None:
        self._order.clear()
        self._reached.clear()
        self._waiting.clear()


def _last(pattern: re.Pattern[bytes], frame: bytes) -> int | None:
    """Find a number at the end of a frame, where they are, else anywhere in it."""
    found = pattern.search(frame, max(len(frame) - _TAIL, 0)) or pattern.search(frame)
    return None if found is None else int(found[1])
