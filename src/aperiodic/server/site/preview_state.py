"""What is really held of the preview's requests, by the same judgement as the API's answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.series import read_series
from aperiodic.market.time import months_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from aperiodic.completeness.judgement import Completeness
    from aperiodic.completeness.series import PublishedMonth
    from aperiodic.server.settings import PreviewEntry

__all__ = ["HeldEntry", "held_entries", "month_cell", "month_cells"]

_NOT_SPANNED: Final = "the recording does not span the month"


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """A request of the preview, and what this installation has of it.

    Attributes:
        entry: The request.
        state: `available`, `partial` or `missing`.
        words: What is there or not there.
    """

    entry: PreviewEntry
    state: str
    words: str


def held_entries(connection: Connection, entries: Sequence[PreviewEntry]) -> list[HeldEntry]:
    """Return the preview's requests with what is held of each, in their order."""
    return [HeldEntry(entry, *_held(connection, entry)) for entry in entries]


def _words_of(held: Completeness) -> str:
    """Say what is known to be missing of a month; empty where nothing is."""
    if held.complete:
        return ""
    faults = [_count(len(held.days_missing), "day") + " without ticks"] if held.days_missing else []
    faults += [_count(held.gaps, "gap")] if held.gaps else []
    return ", ".join(faults) or _NOT_SPANNED


def month_cell(month: str, held: Completeness | None) -> tuple[str, str, str]:
    """Return a month as a cell of a coverage bar: the month, its state, and what to say of it; None: not published."""
    if held is None:
        return month, "missing", "not published"
    faults = _words_of(held)
    return (month, "partial", faults) if faults else (month, "available", "complete")


def month_cells(months: Iterable[PublishedMonth]) -> tuple[tuple[str, str, str], ...]:
    """Return published months as cells of a coverage bar."""
    return tuple(month_cell(month.month, month.completeness) for month in months)


def _held(connection: Connection, entry: PreviewEntry) -> tuple[str, str]:
    wanted = months_between(f"{entry.start_date:%Y-%m}", f"{entry.end_date:%Y-%m}")
    found = read_series(connection, entry.exchange, [entry.symbol], entry.metric, most_gaps=1)
    months = {
        month.month: month.completeness
        for series in found
        if entry.interval in series.intervals.get(entry.timestamp, [])
        for month in series.months
        if month.month in wanted
    }
    if not months:
        return "missing", "not published here"
    lacking = [month for month in wanted if month not in months]
    faults = [f"{month} is not published" for month in lacking]
    faults += [f"{month}: {said}" for month, held in months.items() if (said := _words_of(held))]
    return ("partial", "; ".join(faults)) if faults else ("available", "complete")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
