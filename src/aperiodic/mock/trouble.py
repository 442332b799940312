"""Faults that happen at a moment or last for a time: cuts, refusals, wrong clocks, wrong answers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.mock.connection import Answer

if TYPE_CHECKING:
    from aperiodic.mock.faults import Fault
    from aperiodic.mock.session import Session
    from aperiodic.mock.text_book import TextBook
    from aperiodic.mock.venue import VenueServer

__all__ = ["Trouble", "named_natively"]

_HUGE: Final = 10_000_000


class Trouble:
    """The faults of one exchange."""

    def __init__(self, server: VenueServer) -> None:
        self._server = server
        self._states: dict[str, list[tuple[float, Fault]]] = {}
        self._counts: dict[str, int] = {}
        self._old: dict[str, TextBook] = {}

    def state(self, kind: str, native: str = "", stream: str = "") -> Fault | None:
        """Return the fault of that kind that is going on for an instrument and a stream, if there is one."""
        now = time.monotonic()
        for until, fault in self._states.get(kind, ()):
            if (
                until > now
                and (not native or fault.symbol in {"", native})
                and fault.stream in (stream or fault.stream)
            ):
                return fault
        return None

    def remaining_s(self, kind: str) -> float:
        """Return how long a fault of that kind still goes on, seconds."""
        now = time.monotonic()
        return max((until - now for until, _ in self._states.get(kind, ()) if until > now), default=0.0)

    def use_up(self, kind: str) -> bool:
        """Whether a counted fault hits once more; it is counted down."""
        left = self._counts.get(kind, 0)
        self._counts[kind] = max(0, left - 1)
        return left > 0

    def old_book(self, native: str) -> TextBook | None:
        """Return the book of an earlier time that is to be told instead of the present one; None for none."""
        return self._old[native] if native in self._old and self.use_up(f"old_snapshot {native}") else None

    def refusal(self) -> Answer | None:
        """Return the answer to everything while the venue refuses; None while it does not."""
        if self.state("geo_block"):
            return Answer(451, b'{"code":0,"msg":"Service unavailable from a restricted location"}')
        if self.state("refuse"):
            return Answer(503, b"Service Unavailable", type="text/plain")
        return None

    def begin(self, fault: Fault) -> None:
        """Let a fault begin now."""
        if fault.kind in {"disconnect", "freeze", "huge", "invalid_utf8"}:
            for session in self._concerned(fault):
                self._strike(session, fault)
        elif fault.kind == "shutdown":
            for session in list(self._server.sessions.values()):
                session.announce_end()
            asyncio.get_running_loop().call_later(fault.seconds, self._cut_announced)
        elif fault.kind == "old_snapshot":
            self._keep_books(fault)
        elif fault.kind == "html":
            self._counts["html"] = self._counts.get("html", 0) + fault.count
        else:
            until = time.monotonic() + fault.seconds if fault.seconds > 0 else float("inf")
            self._states.setdefault(fault.kind, []).append((until, fault))
            for session in self._concerned(fault) if fault.kind == "coin_kill" else ():
                session.connection.cut(hard=False)

    def _keep_books(self, fault: Fault) -> None:
        for name, book in self._server.market.books.items():
            if fault.symbol in {"", name} and book.known:
                self._old[name] = book.copy()
                self._counts[f"old_snapshot {name}"] = fault.count

    def _concerned(self, fault: Fault) -> list[Session]:
        return [
            session
            for session in self._server.sessions.values()
            if any(fault.stream in stream and session.is_of(stream, fault.symbol) for stream in session.streams)
        ]

    def _strike(self, session: Session, fault: Fault) -> None:
        if fault.kind == "disconnect" and fault.code is not None:
            session.connection.close(fault.code)
        elif fault.kind == "disconnect":
            session.connection.cut(hard=False)
        elif fault.kind == "freeze":
            session.connection.frozen = True
        elif fault.kind == "huge":
            session.junk(b'{"huge":"' + b"x" * _HUGE + b'"}', fault.kind)
        else:
            session.junk(b'{"text":"\xff\xfe"}', fault.kind)

    def _cut_announced(self) -> None:
        for session in list(self._server.sessions.values()):
            if session.announced:
                session.connection.cut(hard=False)


def named_natively(fault: Fault) -> Fault:
    """Return a fault with the venue's name of its instrument."""
    return msgspec.structs.replace(fault, symbol=fault.native)
