"""Leases: which process may write which series, as rows of the ledger, on one host or on several that share it.

A lease ends when it is released, when it was not renewed for a while, or when its process is seen to be gone. Every
taking of one has a number of its own, its fence, and a batch is committed only by the fence that is in the ledger: a
writer that slept past the end of its lease changes nothing any more, whether or not somebody else has taken it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self
from uuid import uuid4

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake.errors import LakeError
from aperiodic.lake.layout import COMPUTED, ObjectKind
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import leases
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Connection, Engine

    from aperiodic.lake.layout import ObjectKey

__all__ = ["EVERYTHING", "Held", "Scope", "hold_leases", "scope_of"]

LASTS_S: Final = 60.0
"""How long a lease lasts that is not renewed, seconds."""

_RENEWED_S: Final = 15.0
_POLL_S: Final = 0.05

Step = Literal["parts", "ticks", "bars", ""]


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What a lease is for.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        step: `parts` for who appends to the open day, `ticks` for imports, `bars` for builds.
    """

    exchange: str
    symbol: str
    step: Step

    def __str__(self) -> str:
        """Return it as words."""
        return (
            "all of the installation" if self == EVERYTHING else f"the {self.step} of {self.symbol} ({self.exchange})"
        )


EVERYTHING: Final = Scope("", "", "")
"""The whole installation; nobody may hold anything else at the same time."""


def scope_of(key: ObjectKey) -> Scope | None:
    """Return what a writer of an object needs a lease for; None for what belongs to no series.

    A whole order book needs none: after one and the same update it is the same, whoever writes it. Nor do bars of a
    day that is not over, which give way to others all the time.
    """
    if not key.symbol or key.kind in {ObjectKind.BOOK_STATE, ObjectKind.OPEN_BARS}:
        return None
    step: Step = "parts" if key.kind is ObjectKind.TICK_PARTS else "bars" if key.kind in COMPUTED else "ticks"
    return Scope(key.exchange, key.symbol, step)


class Held:
    """Leases that this process has taken together."""

    def __init__(self, owner: str, fences: dict[Scope, int]) -> None:
        self.owner = owner
        self.fences = fences

    def covers(self, scope: Scope) -> bool:
        """Whether one of them is for `scope`."""
        return scope in self.fences or EVERYTHING in self.fences

    def require(self, connection: Connection, scopes: Collection[Scope]) -> None:
        """Make sure, in a transaction that writes, that leases are still held; nobody can take them before its end.

        Raises:
            LakeError: `lease_lost` when one is not.
        """
        now = _now(connection)
        for scope in {EVERYTHING} if EVERYTHING in self.fences else set(scopes) & set(self.fences):
            row = connection.execute(select(leases).where(*_same(scope))).one_or_none()
            if row is None or (row.owner, row.fence) != (self.owner, self.fences[scope]) or row.expires_at <= now:
                raise LakeError(
                    f"The lease on {scope} ended before the work was done, so another process may have written it.",
                    code="lease_lost",
                    hint="Nothing of this step was entered into the ledger. Run the command again.",
                )


@contextmanager
def hold_leases(engine: Engine, scopes: Collection[Scope], *, wait_s: float = 0) -> Iterator[Held]:
    """Hold leases and renew them for as long as a `with` block lasts.

    Args:
        engine: The ledger.
        scopes: What for; all of them or none are taken.
        wait_s: How long to wait for others that hold one, seconds.

    Raises:
        LakeError: `busy` when another process still holds one.
    """
    deadline = time.monotonic() + wait_s
    owner = _Owner.of_this_process()
    while True:
        with begin_write(engine) as connection:
            taken = _take(connection, str(owner), sorted(set(scopes)))
        if isinstance(taken, dict):
            break
        if time.monotonic() >= deadline:
            raise taken
        time.sleep(_POLL_S)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(engine, str(owner), over), daemon=True)
    renewing.start()
    try:
        yield Held(str(owner), taken)
    finally:
        over.set()
        renewing.join()
        with suppress(SQLAlchemyError), begin_write(engine) as connection:
            connection.execute(update(leases).where(leases.c.owner == str(owner)).values(expires_at=0))


def _take(connection: Connection, owner: str, scopes: Collection[Scope]) -> dict[Scope, int] | LakeError:
    now = _now(connection)
    rows = {Scope(row.exchange, row.symbol, row.step): row for row in connection.execute(select(leases))}
    living = {scope for scope, row in rows.items() if row.expires_at > now and not _Owner.parse(row.owner).is_gone()}
    in_the_way = living if EVERYTHING in scopes else living & {*scopes, EVERYTHING}
    if in_the_way:
        scope = min(in_the_way)
        return _busy(scope, _Owner.parse(rows[scope].owner))
    fences = {}
    until = now + round(LASTS_S * 1_000_000)
    for scope in scopes:
        fences[scope] = rows[scope].fence + 1 if scope in rows else 1
        values = {"owner": owner, "fence": fences[scope], "expires_at": until}
        if scope in rows:
            connection.execute(update(leases).where(*_same(scope)).values(**values))
        else:
            named = {"exchange": scope.exchange, "symbol": scope.symbol, "step": scope.step}
            connection.execute(insert(leases).values(**named, **values))
    return fences


def _renew(engine: Engine, owner: str, over: threading.Event) -> None:
    while not over.wait(_RENEWED_S):
        # A ledger that does not answer now may do so the next time; if not, the commit tells.
        with suppress(SQLAlchemyError), begin_write(engine) as connection:
            now = _now(connection)
            still = update(leases).where(leases.c.owner == owner, leases.c.expires_at > now)
            connection.execute(still.values(expires_at=now + round(LASTS_S * 1_000_000)))


def _same(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return tuple(leases.c[name] == getattr(scope, name) for name in Scope.__slots__)


def _now(connection: Connection) -> int:
    """Return the time that all who share the ledger agree on, µs."""
    if connection.dialect.name == "postgresql":
        moment: int = connection.execute(
            text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        ).scalar_one()
        return moment
    return now_us()


@dataclass(frozen=True, slots=True)
class _Owner:
    """A process that holds leases, and which of its takings."""

    host: str
    process: int
    began: str
    taking: str

    @classmethod
    def of_this_process(cls) -> Self:
        return cls(_host(), os.getpid(), _began(os.getpid()), uuid4().hex)

    @classmethod
    def parse(cls, value: str) -> Self:
        host, process, began, taking = value.rsplit(" ", 3)
        return cls(host, int(process), began, taking)

    def __str__(self) -> str:
        return f"{self.host} {self.process} {self.began} {self.taking}"

    def is_gone(self) -> bool:
        """Whether the process has surely ended: it ran on this host, and none of its number and beginning does."""
        if self.host != _host() or os.name != "posix":
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return _began(self.process) != self.began


@cache
def _host() -> str:
    """Return a name of this host, or of the container on it, that numbers of processes belong to."""
    with suppress(OSError):
        return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _began(process: int) -> str:
    """Return when a process began, as the system counts; "-" where it does not say."""
    with suppress(OSError, IndexError):
        # The name of the program stands in brackets and may hold anything.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return "-"


def _busy(scope: Scope, owner: _Owner) -> LakeError:
    return LakeError(
        f"Another import or build is running: process {owner.process} on {owner.host.partition('/')[0]} writes {scope}.",
        code="busy",
        hint="Wait for it to finish, then run the command again. A program that was killed on another host is waited"
        f" for at most {LASTS_S:.0f} s.",
    )
