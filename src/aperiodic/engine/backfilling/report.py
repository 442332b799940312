"""What a backfill says of each day."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from aperiodic.market import AperiodicDataError

__all__ = ["DayReport", "Outcome"]


class Outcome(StrEnum):
    """What became of a day of one kind of file."""

    IMPORTED = "imported"
    PARTLY = "partly"
    """Imported, but the archive does not have one of its files."""
    HELD = "held"
    """Imported before."""
    ABSENT = "absent"
    """The archive does not have it, and will not."""
    NOT_YET = "not_yet"
    """It is not published yet."""
    CHANGED = "changed"
    """It was imported before, and the archive has another content now; nothing was taken over."""
    REFUSED = "refused"
    """It cannot be imported, or not fetched."""


@dataclass(frozen=True, slots=True)
class DayReport:
    """One day of one kind of file.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        table: Kind of file.
        symbols: Atlas symbols.
        outcome: What became of it.
        ticks: Ticks by stream.
        rejected: Lines that became no tick, by machine code; those of the files as a whole.
        ignored: Lines and ticks of known kinds that are not of the day, by kind.
        duplicates: Events that came more than once, by stream.
        bytes: Bytes of its files.
        paths: Files that it concerns: those that are missing, not there yet, or changed.
        error: Why it was refused.
    """

    day: date
    table: str
    symbols: tuple[str, ...]
    outcome: Outcome
    ticks: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    paths: tuple[str, ...] = ()
    error: AperiodicDataError | None = None
