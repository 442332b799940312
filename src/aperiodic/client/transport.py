"""The seam to the HTTP library: what the SDK needs from one, and that need met with httpx.

No other module knows httpx. Environment proxies and certificates are honoured, redirects are not followed.
"""

from __future__ import annotations

import logging
import socket
import ssl
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from aperiodic._version import __version__
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "BodyTooLargeError",
    "Opened",
    "Response",
    "Transport",
    "TransportError",
    "open_transport",
    "read_body",
    "system_reason",
]

_READ_S: Final = 60.0
_READ_BYTES: Final = 256 * 1024
"""Read from a connection at once: what asyncio takes from a socket. httpcore's quarter of it has the rest copied each time."""

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})

_fetching: ContextVar[bool] = ContextVar("aperiodic_fetching", default=False)


class TransportError(Exception):
    """No whole answer came: no connection, a broken one, a truncated body or a timeout."""


class BodyTooLargeError(Exception):
    """The body is longer than the caller allows."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: Looked up without regard to case.
        body: Decoded content.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer whose body is still to be read.

    Attributes:
        status: HTTP status.
        headers: Looked up without regard to case.
        pieces: The decoded content as it comes in.
    """

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Transport(Protocol):
    """Fetches over one pool of connections."""

    def open(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Opened]:
        """Fetch `url`, to which `params` are added as a query string, and leave the body to the caller.

        Raises:
            TransportError: When no whole answer came, also while the caller reads it.
        """
        ...

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Fetch `url` and read the body.

        Raises:
            TransportError: As `open`.
            BodyTooLargeError: When the body has more than `max_bytes`; no more than that was read.
        """
        ...


@asynccontextmanager
async def open_transport(
    max_connections: int, *, silence_s: float = _READ_S, proxy: str | None = None
) -> AsyncIterator[Transport]:
    """Open a pool of at most `max_connections` connections and close it at the end.

    Args:
        max_connections: How many.
        silence_s: For how long a server may send nothing, seconds; connecting may take a quarter of it.
        proxy: Address of a proxy; by default those of the environment.

    Raises:
        AperiodicDataError: `missing_package`, `bad_proxy` or `bad_certificates`: the environment asks for what cannot
            be done.
    """
    # httpcore has no other way to say it; a program's own connections read as much at once, which is no harm.
    httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = max(httpcore.AsyncHTTP11Connection.READ_NUM_BYTES, _READ_BYTES)
    times = httpx.Timeout(silence_s, connect=silence_s / 4, pool=None)
    async with _client(max_connections, times, proxy) as client:
        yield _HttpxTransport(client, proxy)


def _client(max_connections: int, timeout: httpx.Timeout, proxy: str | None) -> httpx.AsyncClient:
    try:
        for address in _environment_proxies().values() if proxy is None else (proxy,):
            _proxy_place(address)
        return httpx.AsyncClient(
            headers={"User-Agent": f"aperiodic/{__version__}"},
            timeout=timeout,
            proxy=proxy,
            verify=_certificates(),
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
        )
    except ImportError:
        raise AperiodicDataError(
            "A SOCKS proxy needs the package socksio.",
            code="missing_package",
            hint="Install it with: pip install socksio. Or leave out proxy=…, or unset ALL_PROXY, HTTPS_PROXY and "
            "HTTP_PROXY.",
        ) from None
    except (ValueError, httpx.InvalidURL) as error:
        raise AperiodicDataError(
            f"The proxy cannot be used: {error}.",
            code="bad_proxy",
            hint="Correct proxy=…, or correct or unset ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY (::1 without brackets).",
        ) from error


class _HttpxTransport:
    def __init__(self, client: httpx.AsyncClient, proxy: str | None) -> None:
        self._client = client
        self._proxy = proxy

    @asynccontextmanager
    async def open(
        self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Opened]:
        _fetching.set(True)
        try:
            async with self._client.stream("GET", url, params=params, headers=headers) as answer:
                # What is not encoded is not looked at once more on its way.
                pieces = answer.aiter_bytes() if "Content-Encoding" in answer.headers else answer.aiter_raw()
                yield Opened(answer.status_code, answer.headers, pieces)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportError(_reason(error, url, self._client.timeout, self._proxy)) from error
        finally:
            _fetching.set(False)

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        async with self.open(url, params=params, headers=headers) as answer:
            return Response(answer.status, answer.headers, await read_body(answer, max_bytes))


async def read_body(answer: Opened, max_bytes: int) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLargeError: When it has more than `max_bytes`; no more than that was read.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.pieces:
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLargeError(f"The answer has more than {max_bytes:,} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


@cache
def _certificates() -> ssl.SSLContext:
    """Trusted certificates, read once: it takes as long as a hundred requests to a near server."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # also when it holds no certificate
        raise AperiodicDataError(
            f"The trusted certificates cannot be read: {error.strerror or error}.",
            code="bad_certificates",
            hint="Correct or unset SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error


def system_reason(error: BaseException | None, place: str, name: str | None, reached: str | None = None) -> str | None:
    """Say what the system refused, if that is the cause; `reached`: who was connected to, if that is a proxy."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            plain = " It may speak http instead of https." if error.reason in _NOT_TLS else ""
            return f"{place} offers no valid secure connection ({error.reason or error}).{plain}"
        if isinstance(error, socket.gaierror):
            return f"the name {name} cannot be resolved."
        if isinstance(error, ConnectionRefusedError):
            return f"nothing answers at {reached or place} (connection refused)."
        error = error.__cause__ or error.__context__
    return None


def _environment_proxies() -> dict[str, str]:
    return {scheme: address for scheme, address in getproxies().items() if scheme in {"http", "https", "all"}}


def _proxy_place(address: str) -> tuple[str, str | None]:
    """Return a proxy's host and port, and its name alone; a ValueError if there is no such port."""
    parts = urlsplit(address if "://" in address else f"http://{address}")
    _ = parts.port  # checked as it is read; httpx finds out in the middle of a request
    return parts.netloc.rpartition("@")[2], parts.hostname


def _proxy_of(url: str, proxy: str | None) -> str | None:
    """Return the address of the proxy that leads to `url`."""
    if proxy is not None:
        return proxy
    parts = urlsplit(url)
    found = _environment_proxies()
    return None if proxy_bypass(parts.hostname or "") else found.get(parts.scheme) or found.get("all")


def _reason(error: Exception, url: str, timeout: httpx.Timeout, proxy: str | None) -> str:
    """Say in plain words why there is no answer."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    reached, name = place, parts.hostname  # who was connected to
    if (through := _proxy_of(url, proxy)) is not None:
        reached, name = _proxy_place(through)
        reached = f"the proxy {reached}"
    if (found := system_reason(error, place, name, reached)) is not None:
        return found
    if isinstance(error, httpx.ConnectTimeout):
        return f"{reached} did not answer within {timeout.connect:g} s."
    if isinstance(error, httpx.TimeoutException):
        return f"{place} sent nothing for {timeout.read:g} s."
    if isinstance(error, httpx.ProxyError):
        return f"the proxy does not lead to {place} ({error})."
    return f"the connection to {place} broke ({str(error) or type(error).__name__})."


class _WithoutQuery(logging.Filter):
    """Leaves the query string out of httpx's log of our requests: in a link it is the permission to read."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _fetching.get() and isinstance(record.args, tuple):
            record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())
