"""How many downloaded files are in memory at once before they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Bodies"]

_FEW: Final = 4
"""So many files may always be fetched at once, whatever their size: one connection is slow over a long way."""
_MOST_BYTES: Final = 16 * 1024**2
"""More than these few only as far as they have no more bytes together than this."""


class Bodies:
    """Lets files be fetched into memory a few at a time, those that wait in turn; within one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def one(self, size: int) -> AsyncIterator[None]:
        """Wait until there is room for a file of some bytes, and take it for as long as the block runs."""
        if self._waiting or not self._has_room(size):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it was given room in the same moment
                    self._leave(size)
                raise
        else:
            self._enter(size)
        try:
            yield
        finally:
            self._leave(size)

    def _has_room(self, size: int) -> bool:
        return self._count < _FEW or self._bytes + size <= _MOST_BYTES

    def _enter(self, size: int) -> None:
        self._count += 1
        self._bytes += size

    def _leave(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size
        while self._waiting:
            needed, turn = self._waiting[0]
            if not turn.cancelled():
                if not self._has_room(needed):
                    return
                self._enter(needed)
                turn.set_result(None)
            self._waiting.popleft()
