"""What one client fetches with: connections, a cache, and one budget of work at the same time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from aperiodic.client.files import Files
from aperiodic.client.links import Links, ask_bars
from aperiodic.client.remembering import Remembering
from aperiodic.client.transport import Transport, open_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aperiodic.client.cache import Cache
    from aperiodic.client.request import DataRequest

__all__ = ["Session"]


class Session:
    """Fetches over one pool of connections, within one event loop.

    Attributes:
        transport: Asks the API.
        files: Fetches files.
        slots: A file takes one while it is fetched.
    """

    def __init__(self, transport: Transport, cache: Cache | None, max_concurrent: int) -> None:
        self.transport = transport
        self.files = Files(transport, cache)
        self.slots = asyncio.Semaphore(max_concurrent)
        self._asking = asyncio.Semaphore(max_concurrent)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        max_concurrent: int,
        cache: Cache | None,
        *,
        silence_s: float = 60.0,
        proxy: str | None = None,
        offline: bool = False,
    ) -> AsyncIterator[Session]:
        """Open a pool of connections and close it at the end.

        Args:
            max_concurrent: Downloads at the same time.
            cache: Where files are kept.
            silence_s: For how long a server may send nothing, seconds.
            proxy: Address of a proxy; by default those of the environment.
            offline: Whether nothing is sent at all: everything is in the cache, or fails.

        Raises:
            AperiodicDataError: As `open_transport`.
        """
        async with open_transport(max_concurrent, silence_s=silence_s, proxy=proxy) as transport:
            remembering = transport if cache is None else Remembering(transport, cache, offline=offline)
            yield cls(remembering, cache, max_concurrent)

    async def links(self, request: DataRequest) -> Links:
        """Ask for the links of one series; raises as `Links.ask`."""
        async with self._asking:
            return await Links.ask(partial(ask_bars, self.transport, request))
