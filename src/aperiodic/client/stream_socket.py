"""The seam to the WebSocket library: what a stream needs from one, and that need met with websockets.

No other module knows websockets. Environment proxies and certificates are honoured, redirects are not followed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aperiodic._version import __version__
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError
from aperiodic.client.stream_channels import DEFAULT_STREAM_URL
from aperiodic.client.stream_messages import StreamClosedError
from aperiodic.market import AperiodicDataError, InvalidInputError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.http11 import Response

    from aperiodic.client.errors import APIError

__all__ = ["OPEN_SECONDS", "Socket", "StreamSilentError", "StreamUnreachableError", "open_socket", "require_websockets"]

OPEN_SECONDS: Final = 10.0
_FRAMES_AHEAD: Final = 1024
_LONGEST_FRAME: Final = 4 << 20
_BROKEN: Final = 1006


class StreamUnreachableError(AperiodicDataError, ConnectionError):
    """No connection to the stream; also a ConnectionError."""


class StreamSilentError(AperiodicDataError, TimeoutError):
    """The stream sent nothing for longer than it may; also a TimeoutError."""


class MissingPackageError(InvalidInputError, ImportError):
    """A package that the function needs is not installed; also an ImportError."""


class Socket:
    """An open connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._pid = os.getpid()

    async def send(self, text: str) -> None:
        """Send a frame.

        Raises:
            StreamClosedError: The connection is closed.
        """
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 (not installed everywhere)

        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def receive(self, seconds: float) -> str | bytes:
        """Return the next frame.

        Raises:
            TimeoutError: None came in so many seconds.
            StreamClosedError: The connection is closed.
        """
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            async with asyncio.timeout(seconds):
                return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def close(self) -> None:
        """Close the connection with code 1000, if it is open; in a forked process it belongs to the parent."""
        if os.getpid() == self._pid:
            await self._connection.close()


def require_websockets() -> None:
    """Refuse to stream where that cannot work.

    Raises:
        InvalidInputError: `missing_package` (also an ImportError), or `no_sockets` in a browser.
    """
    if sys.platform == "emscripten":
        raise InvalidInputError(
            "A browser cannot send the API key of a stream.",
            code="no_sockets",
            hint="Stream from Python outside the browser; the other functions work here.",
        )
    if importlib.util.find_spec("websockets") is None:
        raise MissingPackageError(
            "A live stream needs the package websockets, not installed here.",
            code="missing_package",
            hint='Install with: pip install "websockets>=15". It is the extra "stream" of aperiodic-platform.',
        )


async def open_socket(url: str, api_key: str) -> Socket:
    """Connect.

    Raises:
        APIError: The server refused: 401, 403, 426 …
        RetryableError: It refused with 429, 502, 503 or 504.
        StreamUnreachableError: There was no answer, or none of a stream (`server_unreachable`).
        AperiodicDataError: `missing_package` or `bad_proxy`: the environment asks for what cannot be done.
    """
    from websockets.asyncio.client import connect  # noqa: PLC0415 (not installed everywhere)
    from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus  # noqa: PLC0415

    class Connect(connect):
        """Follows no redirects, for they would take the key along."""

        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    try:
        connection = await Connect(
            url,
            additional_headers={"X-API-KEY": api_key},
            user_agent_header=f"aperiodic/{__version__}",
            open_timeout=OPEN_SECONDS,
            max_size=_LONGEST_FRAME,
            max_queue=_FRAMES_AHEAD,
        )
    except InvalidStatus as refused:
        error = _refusal(refused.response, url)
        if error.status_code in RETRYABLE_STATUSES:
            raise RetryableError(error, refused.response.headers.get("Retry-After")) from None
        raise error from None
    except InvalidProxy as error:
        raise AperiodicDataError(
            f"The environment names a proxy that cannot be used: {error}.",
            code="bad_proxy",
            hint="Correct or unset ALL_PROXY, HTTPS_PROXY and HTTP_PROXY.",
        ) from error
    except ImportError as error:
        raise AperiodicDataError(
            "The environment names a SOCKS proxy, which needs the package python-socks.",
            code="missing_package",
            hint="Install it with: pip install python-socks[asyncio]. Or unset ALL_PROXY (and HTTPS_PROXY, HTTP_PROXY).",
        ) from error
    except TimeoutError as error:
        raise _unreachable(f"{_place(url)} did not answer within {OPEN_SECONDS:g} s.", url) from error
    except (InvalidHandshake, OSError, EOFError) as error:
        from aperiodic.client.transport import system_reason  # noqa: PLC0415 (loads the HTTP library)

        reason = system_reason(error, _place(url), urlsplit(url).hostname)
        raise _unreachable(reason or f"{_place(url)} gave no answer of a stream ({error}).", url) from error
    return Socket(connection)


def _closed(closed: Exception) -> StreamClosedError:
    received = getattr(closed, "rcvd", None)
    return StreamClosedError(_BROKEN) if received is None else StreamClosedError(received.code, received.reason)


def _refusal(response: Response, url: str) -> APIError:
    from aperiodic.client.rest import api_error  # noqa: PLC0415 (loads the HTTP library)
    from aperiodic.client.transport import Response as Answer  # noqa: PLC0415

    answer = Answer(response.status_code, response.headers, bytes(response.body or b""))
    return api_error(answer, url, address_hint=_address_hint(url))


def _unreachable(reason: str, url: str) -> StreamUnreachableError:
    return StreamUnreachableError(
        f"The stream could not be reached: {reason}", code="server_unreachable", hint=_address_hint(url)
    )


def _address_hint(url: str) -> str:
    if url == DEFAULT_STREAM_URL:
        return f"{url} is the default. For a server of your own set APERIODIC_STREAM_URL or APERIODIC_API_URL."
    return "Check the network connection and stream_url (or APERIODIC_STREAM_URL); on a server it ends in /v1/stream."


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
