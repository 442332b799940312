"""What both kinds of client do: their settings, and requests over the connections that they share."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aperiodic.client.bars_request import BarsRequest
from aperiodic.client.cache import Cache
from aperiodic.client.fetch import Delivery, fetch_bars, fetch_symbols
from aperiodic.client.forks import begin_anew_in_child
from aperiodic.client.raw_fetch import fetch_coverage, fetch_raw
from aperiodic.client.raw_request import RawRequest
from aperiodic.client.request import Account, parse_base_url, parse_concurrent, parse_seconds
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from aperiodic.client.completeness import Remarks
    from aperiodic.client.session import Session

__all__ = ["Core", "Settings"]

_ON = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was made with; see `Client`."""

    api_key: str | None = field(repr=False)
    base_url: str
    cache: Cache | None
    max_concurrent: int
    timeout: float
    proxy: str | None = field(repr=False)
    show_progress: bool
    offline: bool

    @classmethod
    def parse(
        cls,
        api_key: str | None,
        base_url: str | None,
        cache: bool | str | os.PathLike[str] | None,
        max_concurrent: int,
        timeout: float,
        proxy: str | None,
        *,
        show_progress: bool,
        offline: bool | None,
    ) -> Self:
        """Check every value; a key is needed only where a request needs one.

        Raises:
            InvalidInputError: `bad_api_key`, `bad_base_url`, `bad_cache`, `bad_cache_size`, `bad_max_concurrent`,
                `bad_timeout`, or `offline_without_cache`.
        """
        if api_key is not None:
            Account.parse(api_key, base_url)
        if offline is None:
            offline = os.environ.get("APERIODIC_OFFLINE", "").lower() in _ON
        found = Cache.parse(cache)
        if offline and found is None:
            raise InvalidInputError(
                "Offline there is only the cache, and this client has none.",
                code="offline_without_cache",
                hint="Leave out cache=False (or APERIODIC_CACHE=0).",
            )
        return cls(
            api_key=api_key,
            base_url=parse_base_url(base_url),
            cache=found,
            max_concurrent=parse_concurrent(max_concurrent),
            timeout=parse_seconds("timeout", timeout),
            proxy=proxy,
            show_progress=show_progress,
            offline=offline,
        )


class Core:
    """Requests of one client.

    Attributes:
        settings: What it was made with.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._shared: tuple[asyncio.AbstractEventLoop, Session, AsyncExitStack] | None = None
        begin_anew_in_child(self)

    def begin_anew(self) -> object:
        """Leave the shared connections to the parent."""
        of_parent, self._shared = self._shared, None
        return of_parent

    async def open(self) -> None:
        """Open connections that later requests of this event loop share."""
        if self._shared is None:
            stack = AsyncExitStack()
            session = await stack.enter_async_context(self._own())
            self._shared = asyncio.get_running_loop(), session, stack

    async def close(self) -> None:
        """Close them."""
        shared, self._shared = self._shared, None
        if shared is not None and shared[0] is asyncio.get_running_loop():
            await shared[2].aclose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Lend the shared connections; open others where there are none in this event loop."""
        if self._shared is not None and self._shared[0] is asyncio.get_running_loop():
            yield self._shared[1]
        else:
            async with self._own() as session:
                yield session

    def request(self, metric: object, options: Mapping[str, Any]) -> BarsRequest:
        """Return the request for bars with the client's settings in place of what is left out.

        Raises:
            InvalidInputError: A value is missing or not valid.
        """
        return BarsRequest.parse(metric, **{**self._defaults(), **options})

    async def bars(self, request: BarsRequest) -> Delivery:
        """Fetch bars; raises as `fetch_bars`."""
        async with self.session() as session:
            return await fetch_bars(session, request)

    async def save(self, request: BarsRequest, folder: Path) -> tuple[list[Path], Remarks]:
        """Fetch files of bars into a folder; raises as `save_bars`."""
        from aperiodic.client.metrics_download import save_bars  # noqa: PLC0415 (brings the HTTP library)

        async with self.session() as session:
            return await save_bars(session, request, folder)

    def raw_request(self, dataset: str, options: Mapping[str, Any]) -> RawRequest:
        """Return the request for ticks, likewise.

        Raises:
            InvalidInputError: A value is missing or not valid.
        """
        return RawRequest.parse(dataset=dataset, **{**self._defaults(), **options})

    async def raw(self, request: RawRequest) -> Delivery:
        """Fetch ticks; raises as `fetch_raw`."""
        async with self.session() as session:
            return await fetch_raw(session.transport, request)

    async def raw_coverage(self) -> dict[str, Any]:
        """Ask which ticks there are; raises as `fetch_coverage`."""
        async with self.session() as session:
            return await fetch_coverage(session.transport, self.settings.base_url)

    async def symbols(self, exchange: str) -> list[str]:
        """Ask which instruments a venue has; raises as `fetch_symbols`."""
        account = Account.parse(self.settings.api_key, self.settings.base_url)
        async with self.session() as session:
            return await fetch_symbols(session.transport, account, exchange)

    def _defaults(self) -> dict[str, Any]:
        """Return what the client itself says of a request."""
        names = ("api_key", "base_url", "show_progress", "max_concurrent")
        return {name: getattr(self.settings, name) for name in names}

    @asynccontextmanager
    async def _own(self) -> AsyncIterator[Session]:
        # The HTTP library takes as long to import as the rest of the package.
        from aperiodic.client.session import Session  # noqa: PLC0415

        settings = self.settings
        async with Session.open(
            settings.max_concurrent,
            settings.cache,
            silence_s=settings.timeout,
            proxy=settings.proxy,
            offline=settings.offline,
        ) as session:
            yield session
