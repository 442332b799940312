"""One WebSocket: the only module that knows the library."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, cast

from picows import (
    WSCloseCode,
    WSError,
    WSInvalidStatusError,
    WSInvalidURL,
    WSListener,
    WSMsgType,
    ws_connect,
)

from aperiodic.capture.errors import DialError

if TYPE_CHECKING:
    from picows import WSFrame, WSTransport
    from picows.picows import WSCloseHandshake

__all__ = ["LARGEST_FRAME", "Listener", "Socket", "dial", "retry_after_s"]

LARGEST_FRAME: Final = 11 << 20
"""A longer message ends the connection, bytes; as base64 it is still a line of a recording."""

_DIAL_S: Final = 10.0
_TEXT: Final = WSMsgType.TEXT
_MOST_REASON: Final = 200


class Listener(Protocol):
    """Receives what a socket receives, in the thread of its event loop."""

    def on_message(self, local: int, message: bytes, *, is_text: bool) -> None:
        """Take a message that arrived at `local`, ns."""

    def on_sign_of_life(self, local: int) -> None:
        """Take a ping or a pong that arrived at `local`, ns."""

    def on_closed(self, code: int, reason: str, by: str) -> None:
        """Take that the connection has ended; `by` is `us` or `venue`."""


class Socket:
    """An open connection."""

    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport
        plain = transport.underlying_transport
        self.local = _address(plain.get_extra_info("sockname"))
        self.remote = _address(plain.get_extra_info("peername"))

    def send(self, message: bytes) -> None:
        """Send text."""
        self._transport.send(_TEXT, message)

    def ping(self) -> None:
        """Send a ping."""
        self._transport.send_ping(str(time.time_ns() // 1_000_000).encode())

    async def close(self, code: int = 1000, reason: str = "", *, patience_s: float = 1.0) -> None:
        """Say goodbye, wait a little for the answer, and let go."""
        with suppress(Exception):  # a connection that is gone already is closed
            self._transport.send_close(WSCloseCode(code), reason.encode())
        with suppress(Exception):
            async with asyncio.timeout(patience_s):
                await self._transport.wait_disconnected()
        with suppress(Exception):
            self._transport.disconnect(graceful=False)


class _Receiver(WSListener):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parts: list[bytes] = []
        self._parts_are_text = True
        self._parts_size = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        local = time.time_ns()
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:
            self._listener.on_message(local, frame.get_payload_as_bytes(), is_text=True)
        elif kind in {WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION}:
            self._part(local, transport, frame)
        elif kind is WSMsgType.CLOSE:
            transport.disconnect()
        else:
            self._listener.on_sign_of_life(local)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        shook = cast("WSCloseHandshake | None", transport.close_handshake)
        told = None if shook is None else shook.recv or shook.sent
        if shook is None or told is None:
            self._listener.on_closed(1006, "cut without a word", "venue")
            return
        code = cast("WSCloseCode | int", told.code)
        number = code.value if isinstance(code, WSCloseCode) else code
        by = "venue" if shook.recv is not None and shook.recv_then_sent else "us"
        self._listener.on_closed(number, (told.reason or "")[:_MOST_REASON], by)

    def _part(self, local: int, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.CONTINUATION:
            self._parts_are_text = frame.msg_type is WSMsgType.TEXT
        self._parts_size += frame.payload_size
        if self._parts_size > LARGEST_FRAME:
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            message = b"".join(self._parts)
            self._parts, self._parts_size = [], 0
            self._listener.on_message(local, message, is_text=self._parts_are_text)


async def dial(url: str, listener: Listener) -> Socket:
    """Open a connection; every attempt asks for the address anew.

    Raises:
        DialError: It was refused, or nobody answers.
    """
    try:
        transport, _ = await asyncio.wait_for(
            ws_connect(
                lambda: _Receiver(listener),
                url,
                max_frame_size=LARGEST_FRAME,
                max_redirects=0,
                websocket_handshake_timeout=_DIAL_S,
                enable_auto_pong=True,
                enable_auto_ping=False,
                logger_name="aperiodic",
            ),
            2 * _DIAL_S,
        )
    except WSInvalidStatusError as error:
        response = error.response
        status = 0 if response is None else int(response.status)
        headers = {} if response is None else response.headers
        raise DialError(
            f"the host refused with HTTP {status}", status, retry_after_s(headers.get("Retry-After"))
        ) from None
    except (OSError, TimeoutError, WSError, WSInvalidURL) as error:
        words = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise DialError(str(words)[:_MOST_REASON]) from None
    return Socket(transport)


def retry_after_s(told: str | None) -> float | None:
    """Read a `Retry-After` in seconds; None where there is none that can be read."""
    told = (told or "").strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) < 8 else None  # noqa: PLR2004 - 115 days


def _address(name: object) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) and len(name) > 1 else ""
