"""Work aside that takes only a part of the time, so that what must not wait has the processor."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Pace"]

Piece = TypeVar("Piece")

_SHARE: Final = 0.25
_LONGEST_PAUSE_S: Final = 0.2


class Pace:
    """Pauses between the pieces of a long piece of work.

    Args:
        is_wanted: Whether pauses are wanted now; asked after each piece.
        clock: Tells the time, s.
    """

    def __init__(self, is_wanted: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_wanted = is_wanted
        self._clock = clock
        self._hurry = threading.Event()

    def hurry(self) -> None:
        """Pause no more."""
        self._hurry.set()

    def over(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Yield pieces of work; after each pause for three times as long as it took, at most a fifth of a second."""
        since = self._clock()
        for piece in pieces:
            yield piece
            if not self._hurry.is_set() and self._is_wanted():
                took = self._clock() - since
                self._hurry.wait(min(took * (1 / _SHARE - 1), _LONGEST_PAUSE_S))
            since = self._clock()
