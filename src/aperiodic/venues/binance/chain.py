"""Watching the numbers of one Binance book without keeping the book; the rules are those of `depth`."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

import msgspec
from msgspec import Struct, field
from msgspec.json import Decoder

from aperiodic.venues.events import RESTART_SLACK_US, RejectedFrameError, venue_time_us
from aperiodic.venues.feed import ChainState

__all__ = ["DepthChain"]

_MAX_RECENT: Final = 1_000
_HEAD: Final = 400
_NUMBERS: Final = re.compile(rb'"U":(\d+),"u":(\d+)(?:,"pu":(\d+))?')
_EVENT_TIME: Final = re.compile(rb'"E":\s*(\d+)')
_ANSWERED: Final = re.compile(rb'"lastUpdateId":\s*(\d+)')


class _Update(Struct):
    first: int = field(name="U", default=-1)
    last: int = field(name="u", default=-1)
    previous: int | None = field(name="pu", default=None)


class _Wrapped(Struct):
    data: _Update


_WRAPPED: Final = Decoder(_Wrapped)


class DepthChain:
    """The numbers of one book.

    Attributes:
        state: What is known now.
        last: Number of the last update; -1 before the first.
    """

    __slots__ = ("_answer", "_newest", "_recent", "last", "state")

    def __init__(self) -> None:
        self.state = ChainState.WAITING
        self.last = -1
        self._answer: int | None = None
        self._newest = b""
        # (first, after, last) of an unbroken chain.
        self._recent: deque[tuple[int, int, int]] = deque(maxlen=_MAX_RECENT)

    def see(self, frame: bytes, local: int) -> ChainState:
        """Take the next `depthUpdate`; one that cannot be read changes nothing."""
        del local
        numbers = _read(frame)
        if numbers is None:
            return self.state
        after, last = numbers[1:]
        newest = self.last
        if newest < 0:
            self.state = ChainState.WANTS_SNAPSHOT
        elif last <= newest:
            if _event_time(frame) <= _event_time(self._newest) + RESTART_SLACK_US:
                return self.state  # told again, as while two connections overlap
            self._break()  # the venue begins to count anew
        elif after > newest:
            self._break()
        self.last = last
        self._newest = frame
        if self.state is not ChainState.KNOWN:
            self._recent.append(numbers)
            if self._answer is not None and last >= self._answer:
                self._adopt(self._answer)
        return self.state

    def snapshot(self, body: bytes, local: int) -> ChainState:
        """Take an answer to `depth`."""
        del local
        found = _ANSWERED.search(body, 0, _HEAD)
        if found is None:
            return self.state
        number = int(found[1])
        if self.last < number:
            self._answer = number
            self.state = ChainState.WAITING
        else:
            self._adopt(number)
        return self.state

    def _break(self) -> None:
        self._recent.clear()
        self._answer = None
        self.state = ChainState.BROKEN

    def _adopt(self, number: int) -> None:
        self._answer = None
        later = next((change for change in self._recent if change[2] > number), None)
        if later is None:
            fits = self.last == number
        else:
            first, after, last = later
            fits = first <= number <= last or after <= number < last
        if fits:
            self._recent.clear()
        self.state = ChainState.KNOWN if fits else ChainState.WANTS_SNAPSHOT


def _read(frame: bytes) -> tuple[int, int, int] | None:
    """Return (first, after, last): `U`, what `DepthChange` calls after, and `u`."""
    found = _NUMBERS.search(frame, 0, _HEAD)
    if found is not None:
        told = found.groups()
        first, last = int(told[0]), int(told[1])
        after = first - 1 if told[2] is None else int(told[2])
    else:
        try:
            update = _WRAPPED.decode(frame).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        first, last = update.first, update.last
        after = first - 1 if update.previous is None else update.previous
    return None if first < 0 or last < first else (first, after, last)


def _event_time(frame: bytes) -> int:
    """Return `E`, µs; 0 where it is none."""
    found = _EVENT_TIME.search(frame)
    try:
        return 0 if found is None else venue_time_us(int(found[1][:20]))
    except RejectedFrameError:
        return 0
