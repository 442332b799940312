"""How a mock exchange behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aperiodic.mock.faults import Fault

__all__ = ["MockSettings"]


@dataclass(frozen=True, slots=True)
class MockSettings:
    """Settings of a mock exchange.

    Attributes:
        host: Address to listen on.
        port: Port; 0: any that is free.
        life_s: A connection is closed after this long; None: as the venue does.
        timers: What all other times of the venue are multiplied with: pings, idle connections, notices before a cut.
        settle_s: A recording begins when nothing new was subscribed to for this long, after the first subscription.
        at_once: Whether recordings begin when the server does, subscribed or not.
        most_unsent: A client that leaves so many bytes unread is cut off.
        known_s: An answer waits this long at most for a book that the stream has not told of yet.
        snapshot_wait_s: A recording waits this long at most where it holds a snapshot, so that it is asked for and
            answered at the same place of the stream.
        dial_limits: Whether new connections are counted and refused as the venue does.
        truth: Where the truth log is written; None: nowhere.
        remember: Whether the truth is kept in memory, if it is not written.
        faults: What is to go wrong.
    """

    host: str = "127.0.0.1"
    port: int = 0
    life_s: float | None = None
    timers: float = 1.0
    settle_s: float = 1.0
    at_once: bool = False
    most_unsent: int = 64 << 20
    known_s: float = 10.0
    snapshot_wait_s: float = 2.0
    dial_limits: bool = True
    truth: Path | None = None
    remember: bool = False
    faults: Sequence[Fault] = field(default_factory=tuple)
