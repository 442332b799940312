"""Pages for people: counted by address, and kept encoded until the ledger changes.

A page takes tens of milliseconds to make and anybody may ask for it. So an answer is kept, as it was compressed, for
whoever asks for the same next; those who ask while it is made wait for it; and few are made at a time, so that the API
has its threads.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anyio.to_thread import run_sync
from litestar import Request
from litestar.enums import ScopeType
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED
from litestar.utils.scope.state import CONNECTION_STATE_KEY
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake.generation import Generation
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.middleware.conditional_requests import best_encoding, names_tag
from aperiodic.server.middleware.rate_limits import Buckets, client_address, remember_standing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from litestar import Response
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
    from sqlalchemy import Engine

    from aperiodic.server.middleware.rate_limits import Standing
    from aperiodic.server.settings import ServerSettings

__all__ = ["Pages"]

_NO_PAGES: Final = ("/api/", "/files/", "/assets/", "/client/", "/healthz", "/readyz", "/metrics", "/llms")
_MOST_BYTES: Final = 64 << 20
_MOST_BYTES_EACH: Final = 4 << 20
_RENDERED_AT_ONCE: Final = 2
_MINUTE_S: Final = 60
_REFUSED_AFTER_S: Final = 1.0
"""How long an address over its limit waits for being told so: a program that asks again at once is slowed by that."""

_SLOWED_BY_S: Final = 0.1
"""How long each page takes more for an address that has used half of its limit."""

_KEPT_S: Final = 60.0
"""How long an answer is kept at most: some name the current day."""

_KEPT_SHORTLY: Final = {"/status": 5.0, "/status/incidents.atom": 5.0}
"""What also tells of the moment: whether ledger and store answer, how old the last tick is."""

_GENERATION_KEPT_S: Final = 1.0
_OF_BODIES: Final = frozenset({b"content-length", b"content-encoding", b"content-type"})


class _Key(NamedTuple):
    """All that an answer depends on, but for the ledger and the time."""

    path: str
    query: bytes
    scheme: str
    hosts: tuple[bytes, ...]
    encoding: str
    from_page: bool


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    template: str | None
    generation: Hashable
    good_until: float

    @property
    def may_be_kept(self) -> bool:
        return (
            self.status == HTTP_200_OK
            and self.generation is not None
            and len(self.body) <= _MOST_BYTES_EACH
            and b"no-store" not in dict(self.headers).get(b"cache-control", b"")
        )


class Pages:
    """The pages of one server process."""

    def __init__(
        self,
        engine: Engine,
        settings: ServerSettings,
        answer_error: Callable[[Request[Any, Any, Any], Exception], Response[Any]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep nothing yet.

        Args:
            engine: The ledger.
            settings: The installation's settings.
            answer_error: Turns an error into the answer to a request.
            clock: Seconds that only grow.
        """
        self._settings = settings
        self._answer_error = answer_error
        self._clock = clock
        self._by_address = Buckets(_MINUTE_S)
        self._generation = Generation(engine)
        self._generation_read: tuple[float, Hashable] = (-_GENERATION_KEPT_S, None)
        self._kept: OrderedDict[_Key, _Answer] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[_Key, asyncio.Event] = {}
        self._few = asyncio.Semaphore(_RENDERED_AT_ONCE)

    def close(self) -> None:
        """Let go of the ledger."""
        self._generation.close()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that answers as `app` does, pages from here where they are kept."""

        async def paged(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_NO_PAGES):
                await app(scope, receive, send)
                return
            standing = self._count(scope)
            if not standing.admitted:
                await asyncio.sleep(_REFUSED_AFTER_S)
                await self._refuse(scope, receive, send)
                return
            if standing.remaining < standing.limit // 2:
                await asyncio.sleep(_SLOWED_BY_S)
            if scope["method"] not in {"GET", "HEAD"}:
                await app(scope, receive, send)
            else:
                await _send(await self._answer(app, scope, receive), scope, send)

        return paged

    def _count(self, scope: HTTPScope) -> Standing:
        address = client_address(Request(scope), self._settings.trusted_proxies)
        standing = self._by_address.take(address, self._settings.address_pages_per_minute)
        if not standing.admitted:
            remember_standing(scope, standing)
        return standing

    async def _refuse(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        limit = self._settings.address_pages_per_minute
        rule = f"An address may ask for {limit} pages a minute."
        seconds = max(1, -(-_MINUTE_S // limit))
        error = refuse(ErrorCode.RATE_LIMITED, {"Retry-After": str(seconds)}, rule=rule, seconds=seconds)
        answer = self._answer_error(request, error)
        await answer.to_asgi_response(None, request)(scope, receive, send)

    async def _answer(self, app: ASGIApp, scope: HTTPScope, receive: Receive) -> _Answer:
        key = _key(scope)
        generation = await self._read_generation()
        while (kept := self._kept.get(key)) is None or not self._is_good(kept, generation):
            if key not in self._under_way:
                return await self._make(key, generation, app, scope, receive)
            await self._under_way[key].wait()
            if key not in self._kept:  # it is nothing to be kept
                return await self._make(key, generation, app, scope, receive)
        self._kept.move_to_end(key)
        return kept

    def _is_good(self, answer: _Answer, generation: Hashable) -> bool:
        return answer.generation == generation and self._clock() < answer.good_until

    async def _read_generation(self) -> Hashable:
        """Return what the ledger's generation is; None when it does not answer, which keeps nothing."""
        try:
            if self._generation.is_quick:
                return self._generation.read()
            at, known = self._generation_read
            if self._clock() - at >= _GENERATION_KEPT_S:
                known = await run_sync(self._generation.read)
                self._generation_read = (self._clock(), known)
        except (SQLAlchemyError, sqlite3.Error, OSError):
            return None
        return known

    async def _make(self, key: _Key, generation: Hashable, app: ASGIApp, scope: HTTPScope, receive: Receive) -> _Answer:
        ended = self._under_way[key] = asyncio.Event()
        try:
            async with self._few:
                answer = await self._ask(key, generation, app, scope, receive)
            self._keep(key, answer)
            return answer
        finally:
            if self._under_way.get(key) is ended:
                del self._under_way[key]
            ended.set()

    async def _ask(self, key: _Key, generation: Hashable, app: ASGIApp, scope: HTTPScope, receive: Receive) -> _Answer:
        """Let the application answer in full, in the encoding of the key."""
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"if-none-match", b"accept-encoding"}]
        inner: Any = {**scope, "method": "GET", "headers": [*headers, (b"accept-encoding", key.encoding.encode())]}
        status, given, pieces = 0, [], []

        async def collect(message: Message) -> None:
            nonlocal status, given
            if message["type"] == "http.response.start":
                status, given = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                pieces.append(message["body"])

        # The framework remembers the headers of a request that it has seen, which are others within than without.
        scope["state"].pop(CONNECTION_STATE_KEY, None)
        await app(inner, receive, collect)
        scope["state"].pop(CONNECTION_STATE_KEY, None)
        good_until = self._clock() + _KEPT_SHORTLY.get(key.path, _KEPT_S)
        return _Answer(status, given, b"".join(pieces), inner.get("path_template"), generation, good_until)

    def _keep(self, key: _Key, answer: _Answer) -> None:
        before = self._kept.pop(key, None)
        self._bytes -= 0 if before is None else len(before.body)
        if answer.may_be_kept:
            self._kept[key] = answer
            self._bytes += len(answer.body)
        while self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)


def _key(scope: HTTPScope) -> _Key:
    headers = scope["headers"]
    accepted = b",".join(value for name, value in headers if name == b"accept-encoding")
    return _Key(
        path=scope["path"],
        query=scope["query_string"],
        scheme=scope["scheme"],
        hosts=tuple(value for name, value in headers if name == b"host"),
        encoding=best_encoding(accepted.decode("latin-1")),
        from_page=any(name == b"origin" for name, _ in headers),
    )


async def _send(answer: _Answer, scope: Any, send: Send) -> None:  # noqa: ANN401 - the framework's own key is set
    """Send an answer, or 304 to who has it."""
    if answer.template is not None:
        scope["path_template"] = answer.template
    status, headers, body = answer.status, answer.headers, answer.body
    tag = dict(headers).get(b"etag")
    sent = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    if status == HTTP_200_OK and tag is not None and names_tag(_text(sent), tag.decode("latin-1")):
        status, body = HTTP_304_NOT_MODIFIED, b""
        headers = [pair for pair in headers if pair[0] not in _OF_BODIES]
    if scope["method"] == "HEAD":
        body = b""
    # A copy: what stands around this one adds headers of its own.
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")
