"""A transport that keeps what the API answered, and answers from that where there is no network."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from aperiodic.client.transport import Opened, Response, Transport
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aperiodic.client.cache import Cache

__all__ = ["Remembering"]


class Remembering:
    """See `Transport`; files are not its affair, only what the API answers.

    Args:
        transport: What really fetches.
        cache: Where answers are kept.
        offline: Whether nothing is sent at all.
    """

    def __init__(self, transport: Transport, cache: Cache, *, offline: bool) -> None:
        self._transport = transport
        self._cache = cache
        self._offline = offline

    @asynccontextmanager
    async def open(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Opened]:
        """Fetch, unless offline."""
        if self._offline:
            _refuse("A file of this request is not in the cache.")
        async with self._transport.open(url, params=params, headers=headers) as opened:
            yield opened

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Fetch and keep the answer, or return the one that was kept."""
        asked = params or {}
        if self._offline:
            kept = self._cache.answer(url, asked)
            if kept is None:
                _refuse("This request was never answered before.")
            return Response(HTTPStatus.OK, {}, json.dumps(kept).encode())
        answer = await self._transport.get(url, max_bytes=max_bytes, params=params, headers=headers)
        if answer.status == HTTPStatus.OK:
            self._cache.keep_answer(url, asked, answer.body)
        return answer


def _refuse(message: str) -> NoReturn:
    raise AperiodicDataError(message, code="offline", hint="Send it once without offline=True (or APERIODIC_OFFLINE).")
