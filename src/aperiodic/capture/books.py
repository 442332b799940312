"""Keeping every numbered book recoverable: one snapshot is asked for at the beginning and after each break."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aperiodic.venues.feed import ChainState

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.capture.rest import RestClient
    from aperiodic.venues.feed import BookChain, Feed

__all__ = ["Books"]

_AT_ONCE: Final = 4
_AGAIN_S: Final = 0.5
_LONGEST_S: Final = 2.0
_LONGEST_FOR_MANY_S: Final = 16.0
"""Where many books wait, each asks about once in as many seconds as there are."""

_WANTING: Final = frozenset({ChainState.WANTS_SNAPSHOT, ChainState.BROKEN})


class Books:
    """The numbers of all books of a venue, over whatever connection they come.

    Attributes:
        resyncs: How often a book had to be fetched again, because frames were missing or in another order.
        snapshots: Snapshots asked for.
        broken: The venue's names of the instruments whose numbers broke, with how often.
    """

    def __init__(self, feed: Feed, rest: RestClient) -> None:
        """Begin without books.

        Args:
            feed: The venue.
            rest: Asks for snapshots.
        """
        self.resyncs = self.snapshots = 0
        self.broken: dict[str, int] = {}
        self._feed, self._rest = feed, rest
        self._chains: dict[str, BookChain] = {}
        self._fetched: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    @property
    def unknown(self) -> int:
        """Books that are not known at present."""
        return sum(chain.state is not ChainState.KNOWN for chain in self._chains.values())

    def watch(self, native: str) -> Callable[[bytes, int], object] | None:
        """Return what takes the frames of a book; None where its numbers are not watched."""
        chain = self._chains.get(native)
        if chain is None:
            chain = self._feed.chain(native)
            if chain is None:
                return None
            self._chains[native] = chain
        chains = self._chains

        def see(message: bytes, local: int) -> None:
            watched = chains[native]
            if not message.endswith(b"}") and not message.rstrip().endswith(b"}"):
                return  # it was cut, and nobody can apply it: the next one then shows that it is missing
            before = watched.state
            state = watched.see(message, local)
            is_anew = before is ChainState.WAITING and state is ChainState.WANTS_SNAPSHOT and native in self._fetched
            if state is not before and (state is ChainState.BROKEN or is_anew):
                self.resyncs += 1
                self.broken[native] = self.broken.get(native, 0) + 1
            if state in _WANTING and native not in self._asking:
                self._asking[native] = asyncio.get_running_loop().create_task(self._fetch(native, watched))

        return see

    def begin_again(self, native: str) -> None:
        """Take that frames of a book were received and not recorded: a snapshot is asked for at the next one."""
        if native in self._chains and (chain := self._feed.chain(native)) is not None:
            self._chains[native] = chain

    async def close(self) -> None:
        """Ask for nothing any more."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, native: str, chain: BookChain) -> None:
        """Ask until a snapshot fits; the waits between grow."""
        wait = _AGAIN_S
        try:
            while chain.state in _WANTING:
                request = self._feed.snapshot(native)
                if request is None:
                    return
                async with self._room:
                    self.snapshots += 1
                    answer = await self._rest.ask(request)
                if answer.is_good:
                    self._fetched.add(native)
                    chain.snapshot(answer.body, answer.local)
                if chain.state in _WANTING:
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, max(_LONGEST_S, min(len(self._asking), _LONGEST_FOR_MANY_S)))
        finally:
            del self._asking[native]
