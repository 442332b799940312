"""Work aside that takes only a part of the time, so that what must not wait has the processor."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from aperiodic.engine.edges import has_just_ended, is_about_to_end
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Pace"]

Piece = TypeVar("Piece")

_SHARE: Final = 0.4
_LONGEST_PAUSE_S: Final = 0.2
_LOOKED_EVERY_S: Final = 0.02
_LONGEST_REST_S: Final = 1.0


class Pace:
    """Pauses between the pieces of a long piece of work, and where a second ends.

    Args:
        is_wanted: Whether pauses are wanted now; asked after each piece.
        clock: Tells how time goes on, s.
        now: Tells the time, µs.
    """

    def __init__(
        self,
        is_wanted: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = now_us,
    ) -> None:
        self._is_wanted = is_wanted
        self._clock = clock
        self._now = now
        self._hurry = threading.Event()

    def hurry(self) -> None:
        """Pause no more."""
        self._hurry.set()

    @property
    def rests(self) -> bool:
        """Whether a second is about to end or has just ended, so that what takes time has to wait."""
        if self._hurry.is_set() or not self._is_wanted():
            return False
        now = self._now()
        return is_about_to_end(now) or has_just_ended(now)

    def rest(self) -> None:
        """Wait where a second is about to end, until its ticks were passed on."""
        end = self._clock() + _LONGEST_REST_S
        while self.rests and self._clock() < end:
            self._hurry.wait(_LOOKED_EVERY_S)

    def over(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Yield pieces of work; after each pause for half as long again as it took, at most a fifth of a second, and rest."""
        since = self._clock()
        for piece in pieces:
            yield piece
            if not self._hurry.is_set() and self._is_wanted():
                took = self._clock() - since
                self._hurry.wait(min(took * (1 / _SHARE - 1), _LONGEST_PAUSE_S))
                self.rest()
            since = self._clock()
