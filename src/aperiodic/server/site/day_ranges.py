"""Days that are not simply available, joined to ranges, with their causes in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.causes import Cause, CauseCode, Condition, DayCondition

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DayRange", "cause_words", "join_days"]

_GAPS: Final = {
    "not_recorded": "no file covers it",
    "sequence_break": "lost within a recording",
    "not_in_archive": "the venue's own archive does not hold it",
    "no_snapshot": "the order book could not be known",
    "backlog_dropped": "a file was imported before the one that it carries on from: give it again",
    "checksum_mismatch": "the order book was wrong by its checksum",
    "disconnect": "the connection to the venue broke",
    "stale": "the venue was connected and sent nothing",
    "dropped": "more came than could be written",
    "disk_full": "the recorder's disk was full",
}
_WORDS: Final = {
    CauseCode.NO_TICKS: "no ticks",
    CauseCode.NOT_SPANNED: "the venue's numbers on record do not span the day",
    CauseCode.CUT_SHORT: "a file broke off",
    CauseCode.MODELLED_EXCHANGE_TIME: "the venue tells no time, so the time of arrival stands in",
    CauseCode.NO_ARRIVAL_TIME: "from an archive, which does not tell arrival times: no bars on the true clock",
    CauseCode.LATE_ARRIVALS: "the last ticks arrived over 60 s late",
}


@dataclass(frozen=True, slots=True)
class DayRange:
    """Consecutive days of one calendar month that have the same condition for the same causes.

    Attributes:
        condition: Not `available`.
        first: First UTC day.
        last: Last UTC day.
        causes: What the days' causes come to: counts added up where that can be done, times from the
            first to the last.
    """

    condition: Condition
    first: date
    last: date
    causes: tuple[Cause, ...]

    @property
    def days(self) -> int:
        """How many days it is long."""
        return (self.last - self.first).days + 1

    @property
    def ended_at(self) -> int:
        """When the last of it ended, µs: by its causes where all have a time, else with its last day."""
        midnight = datetime.combine(self.last + timedelta(days=1), time.min, UTC)
        end = int(midnight.timestamp()) * 1_000_000
        times = [cause.last_time for cause in self.causes]
        return min(end, max(known)) if (known := [at for at in times if at is not None]) == times and times else end


def join_days(days: Iterable[DayCondition]) -> list[DayRange]:
    """Join days, which ascend without a hole, to ranges, ascending; available days are left out.

    A range never crosses into another month, so that what is found of a month does not depend on where one began to
    look.
    """
    found: list[DayRange] = []
    for day in days:
        if day.condition is Condition.AVAILABLE:
            continue
        new = DayRange(day.condition, day.day, day.day, _added(day.causes))
        if found and _continues(found[-1], new):
            last = found[-1]
            found[-1] = replace(last, last=day.day, causes=_added((*last.causes, *new.causes)))
        else:
            found.append(new)
    return found


def cause_words(cause: Cause) -> str:
    """Say what a cause is, without its times."""
    if cause.code is CauseCode.GAP:
        return f"{_counted(cause.count, 'gap')}: {_GAPS.get(cause.detail or '', _plain(cause.detail))}"
    if cause.code is CauseCode.NOT_RECORDED:
        return f"nothing was recorded{_in_brackets(cause.count, 'time')}"
    if cause.code is CauseCode.REJECTED_LINES:
        return f"lines that became no tick: {_plain(cause.detail)}{_in_brackets(cause.count, 'line')}"
    if cause.code is CauseCode.NOTE:
        return f"noted on import: {_plain(cause.detail)}{_in_brackets(cause.count, 'file')}"
    return _WORDS[cause.code]


def _continues(before: DayRange, new: DayRange) -> bool:
    return (
        before.condition is new.condition
        and new.first - before.last == timedelta(days=1)
        and (new.first.year, new.first.month) == (before.first.year, before.first.month)
        and [_kind(cause) for cause in before.causes] == [_kind(cause) for cause in new.causes]
    )


def _kind(cause: Cause) -> tuple[str, str | None]:
    return cause.code, cause.detail


def _added(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Make one cause of all that are of the same kind, in the order in which the kinds first appear."""
    kinds: dict[tuple[str, str | None], Cause] = {}
    for cause in causes:
        known = kinds.setdefault(_kind(cause), cause)
        if known != cause:  # a gap over midnight is the same on both days
            kinds[_kind(cause)] = replace(
                known,
                count=_total(known, cause),
                first_time=_first(known.first_time, cause.first_time),
                last_time=_last(known.last_time, cause.last_time),
            )
    return tuple(kinds.values())


def _total(known: Cause, cause: Cause) -> int | None:
    """Return how many both stand for; None for what is known of files, which may be the same on both days."""
    if known.count is None or cause.count is None or known.per_file:
        return None
    return known.count + cause.count


def _first(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)


def _last(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _counted(count: int | None, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count or 0:,} {noun}s"


def _in_brackets(count: int | None, noun: str) -> str:
    return "" if count is None else f" ({_counted(count, noun)})"


def _plain(name: str | None) -> str:
    return (name or "unknown").replace("_", " ")
