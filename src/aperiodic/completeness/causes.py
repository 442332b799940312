"""The condition of a day, and what can make it so.

| condition | when |
|---|---|
| `missing` | the day has no ticks |
| `partial` | ticks of it are known to be missing |
| `degraded` | it is all there as far as is known, but there is something to know about it |
| `available` | none of this |

| cause | makes it | when |
|---|---|---|
| `no_ticks` | missing; partial for a stream that is only joined | there is no tick of the day (`not_in_archive`: the venue's own archive has no file of it) |
| `gap` | partial | numbered events are missing between two that are here, an order book was not known, or a recorder lost a stream for a time; `detail` says why |
| `not_recorded` | partial | the stream was not recorded |
| `not_spanned` | partial | the numbers on record do not reach to the edges of the day, and no file tells when it recorded |
| `cut_short` | partial | a table broke off |
| `modelled_exchange_time` | degraded | the venue tells no time: the arrival time stands in |
| `no_arrival_time` | degraded | the ticks are of an archive, which does not tell when they arrived: there are no bars on the `true` clock |
| `late_arrivals` | degraded | the last arrival was over 60 s after the last exchange time |
| `rejected_lines` | degraded | lines became no tick; trades off the book do not count, being none by definition |
| `note` | degraded | the importer noted something about the stream; `detail` is its name |

| detail of a gap | why |
|---|---|
| `not_recorded` | no recording covers it |
| `sequence_break` | lost within a recording |
| `no_snapshot`, `checksum_mismatch` | the order book could not be known, or was wrong |
| `disconnect` | the recorder's connection broke |
| `stale` | the venue was connected and sent nothing |
| `dropped` | more came than the recorder could write |
| `disk_full` | the recorder's disk was full |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Cause", "CauseCode", "Condition", "DayCondition"]


class Condition(StrEnum):
    """How much of a day is there; see the module. From best to worst."""

    AVAILABLE = "available"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    MISSING = "missing"


class CauseCode(StrEnum):
    """Why a day is not simply available; see the module."""

    NO_TICKS = "no_ticks"
    GAP = "gap"
    NOT_SPANNED = "not_spanned"
    NOT_RECORDED = "not_recorded"
    CUT_SHORT = "cut_short"
    MODELLED_EXCHANGE_TIME = "modelled_exchange_time"
    NO_ARRIVAL_TIME = "no_arrival_time"
    LATE_ARRIVALS = "late_arrivals"
    REJECTED_LINES = "rejected_lines"
    NOTE = "note"


_WEIGHS: Final = {
    CauseCode.NO_TICKS: Condition.MISSING,
    CauseCode.GAP: Condition.PARTIAL,
    CauseCode.NOT_SPANNED: Condition.PARTIAL,
    CauseCode.NOT_RECORDED: Condition.PARTIAL,
    CauseCode.CUT_SHORT: Condition.PARTIAL,
}
_ORDER: Final = list(Condition)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing to know about a day.

    Attributes:
        code: What it is.
        detail: Why there are no ticks, cause of the gap, reason of the rejection, or name of the note; None for others.
        count: Gaps, holes, lines or files that it stands for; None where there is nothing to count.
        first_time: Where it begins, µs; of several, the first; None when it concerns the whole day.
        last_time: Where it ends, µs; of several, the last.
        per_file: Whether the ledger knows it of whole files only, which may hold more than this day and symbol.
        joined: The stream that it concerns, where that is one that is only joined; None for the driving stream.
    """

    code: CauseCode
    detail: str | None = None
    count: int | None = None
    first_time: int | None = None
    last_time: int | None = None
    per_file: bool = False
    joined: str | None = None

    @property
    def condition(self) -> Condition:
        """The condition of a day that has no worse cause."""
        weight = _WEIGHS.get(self.code, Condition.DEGRADED)
        return Condition.PARTIAL if weight is Condition.MISSING and self.joined is not None else weight


@dataclass(frozen=True, slots=True)
class DayCondition:
    """A day and what is to know about it.

    Attributes:
        day: UTC day.
        source: Where its ticks came from; None without any.
        causes: Everything to know, as in the table of the module.
    """

    day: date
    source: str | None
    causes: tuple[Cause, ...]

    @property
    def condition(self) -> Condition:
        """The condition by the worst cause."""
        return max((cause.condition for cause in self.causes), key=_ORDER.index, default=Condition.AVAILABLE)
