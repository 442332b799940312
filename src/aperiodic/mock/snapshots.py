"""Which book answers a request for a snapshot, and when.

A recorded snapshot stands at a place in its recording. A recording that is told again waits there until the snapshot
was asked for and answered, so that what is captured from it is the recording again. Later requests are answered from
the book as it is then.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.mock.market import Market
    from aperiodic.mock.messages import Message
    from aperiodic.mock.settings import MockSettings
    from aperiodic.mock.text_book import TextBook

__all__ = ["Snapshots", "Told"]

_LOOK_S: Final = 0.02
_ARRIVAL_S: Final = 0.05
"""After so long an answer has arrived."""


class Told(NamedTuple):
    """What answers a request for a snapshot.

    Attributes:
        book: The book.
        recorded: The recorded answer, word for word; empty where there is none for this moment.
        is_old: Whether the book is one of an earlier time, by a fault.
    """

    book: TextBook
    recorded: bytes = b""
    is_old: bool = False


class Snapshots:
    """The snapshots of one exchange."""

    def __init__(self, market: Market, settings: MockSettings, finished: Callable[[], bool]) -> None:
        """Begin.

        Args:
            market: What is known.
            settings: How long to wait.
            finished: Tells whether the market will say nothing more.
        """
        self._market = market
        self._settings = settings
        self._finished = finished
        self._waiting: dict[str, list[asyncio.Future[Told]]] = {}
        self._offered: dict[str, tuple[Told, asyncio.Event]] = {}
        self._recorded: dict[str, bytes] = {}
        self._begun: set[str] = set()

    async def ask(self, native: str) -> Told | None:
        """Return the book of an instrument, when the stream has told of it; None when it does not in time."""
        offered = self._offered.pop(native, None)
        if offered is not None:
            offered[1].set()
            return offered[0]
        book = self._market.books.get(native)
        if book is not None and book.known:
            return Told(book)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(native, []).append(waiting)
        try:
            async with asyncio.timeout(self._settings.known_s):
                while not self._finished():
                    with suppress(TimeoutError):
                        return await asyncio.wait_for(asyncio.shield(waiting), _LOOK_S)
                    book = self._market.books.get(native)
                    if book is not None and book.known:
                        return Told(book)
        except TimeoutError:
            pass
        finally:
            self._waiting[native].remove(waiting)
        return None

    def is_due(self, message: Message) -> bool:
        """Take what was just told; return whether it is time to hand a recorded snapshot over.

        It is, once for each instrument, when the snapshot was reached and a change of the book was told: clients ask
        after the first one, while recorders may have asked before.
        """
        if message.change is None:
            return False
        native = message.native
        if message.stream:
            self._begun.add(native)
        elif message.payload and native not in self._recorded:
            self._recorded[native] = message.payload
        return bool(self._recorded.get(native)) and native in self._begun

    async def hand_over(self, native: str) -> None:
        """Wait until the recorded snapshot of an instrument was asked for."""
        told = Told(self._market.books[native], self._recorded[native])
        self._recorded[native] = b""
        waiting = self._waiting.get(native)
        if waiting:
            for each in waiting:
                if not each.done():
                    each.set_result(told)
        else:
            asked = asyncio.Event()
            self._offered[native] = (told, asked)
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), self._settings.snapshot_wait_s)
            self._offered.pop(native, None)
        await asyncio.sleep(_ARRIVAL_S)
