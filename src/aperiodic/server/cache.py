"""A cached value: what is costly to read and what anybody may ask for."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cached"]

_TIMES_COST: Final = 20

Value = TypeVar("Value")


class Cached(Generic[Value]):
    """A value that is kept for a while, or for 20 times as long as reading it took if that is more."""

    def __init__(self, nothing: Value, least_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            nothing: What stands for the value until it has been read.
            least_s: How long it is kept at least, s.
            clock: Seconds that only grow.
        """
        self._value = nothing
        self._least_s = least_s
        self._clock = clock
        self._reading = Lock()
        self._good_until: float | None = None

    def get(self, read: Callable[[], Value]) -> Value:
        """Return the value, read anew if it is old; while one thread does that, others get the old one.

        Args:
            read: Reads it; what it raises is passed on, and the value stays as it was.
        """
        if self._is_old():
            # Whoever comes first of all has to wait.
            if not self._reading.acquire(blocking=self._good_until is None):
                return self._value
            try:
                if self._is_old():
                    self._renew(read)
            finally:
                self._reading.release()
        return self._value

    def _is_old(self) -> bool:
        return self._good_until is None or self._clock() >= self._good_until

    def _renew(self, read: Callable[[], Value]) -> None:
        began = self._clock()
        self._value = read()
        ended = self._clock()
        self._good_until = ended + max(self._least_s, _TIMES_COST * (ended - began))
