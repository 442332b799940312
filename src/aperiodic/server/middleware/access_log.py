"""What passes through the server: every request gets an id, is counted, and is logged in one line."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR

from aperiodic.server.middleware.prometheus import OTHER, Monitoring

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

__all__ = ["AccessLog"]

_log: Final = logging.getLogger("aperiodic.server")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_MAX_PATH: Final = 200
_IPV4_BITS: Final = 24
_IPV6_BITS: Final = 48


class AccessLog:
    """The requests of one server process.

    Attributes:
        monitoring: Where they are counted.
        stopping: Whether the server is about to stop, and is not ready for new work.
        under_way: Requests that have not been answered to their last byte.
        moved_at: When a request last began, ended or had bytes taken by its client; `time.monotonic`.
    """

    def __init__(self) -> None:
        self.monitoring = Monitoring(lambda: self.under_way)
        self.stopping = False
        self.under_way = 0
        self.moved_at = time.monotonic()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that answers as `app` does while its requests are watched here."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP:
                await self._watch(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return watched

    async def _watch(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        state: dict[str, Any] = scope["state"]
        identity = state["request_id"] = _request_id(scope)
        status, size = 0, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableScopeHeaders.from_message(message)
                headers["X-Request-ID"] = identity
                headers["X-Content-Type-Options"] = "nosniff"
            elif message["type"] == "http.response.body":
                size += len(message["body"])
            await send(message)
            self.moved_at = time.monotonic()

        self.under_way += 1
        start = self.moved_at = time.monotonic()
        try:
            await app(scope, receive, counted)
        except Exception as error:
            state["error"] = error.__cause__ or error
            raise
        finally:
            self.under_way -= 1
            self.moved_at = time.monotonic()
            self._note(scope, status, size, self.moved_at - start)

    def _note(self, scope: HTTPScope, status: int, size: int, seconds: float) -> None:
        state: dict[str, Any] = scope["state"]
        route = scope.get("path_template") or OTHER
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        error, code = state.get("error"), state.get("error_code")
        self.monitoring.count(route, method, status, code, error, size, seconds)
        failed = error is not None or (status >= HTTP_500_INTERNAL_SERVER_ERROR and not self.stopping)
        level = logging.ERROR if failed else logging.INFO
        if not _log.isEnabledFor(level):
            return
        fields = {
            "request_id": state["request_id"],
            "method": method,
            "route": route,
            "path": scope["path"][:_MAX_PATH],
            "status": status,
            "code": code,
            "duration_ms": round(seconds * 1000, 2),
            "bytes": size,
            "client": _network(scope),
            "caller": state.get("caller"),
        }
        words = "request %s: %s %s answered %d"
        _log.log(level, words, fields["request_id"], method, route, status, exc_info=error, extra={"request": fields})


def _request_id(scope: HTTPScope) -> str:
    """Return the id that the request brings when it is harmless in a header and in a log, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return value.decode("ascii")
            break
    return secrets.token_hex(8)


def _network(scope: HTTPScope) -> str | None:
    """Return the network that a request came from: enough to find a flood, too little to find a person."""
    with suppress(ValueError):
        if scope["client"] is not None:
            address = ipaddress.ip_address(scope["client"][0])
            bits = _IPV4_BITS if address.version == 4 else _IPV6_BITS  # noqa: PLR2004 - the version of the protocol
            return str(ipaddress.ip_network((address, bits), strict=False))
    return None
