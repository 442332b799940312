"""Paths of objects. Every path is built here, from validated nouns, never from a user's text.

A path ends in the first digits of the object's SHA-256, so that an object is written once and never changed: a new
revision is a new path, and the ledger says which one is current.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from aperiodic.market import Clock, Exchange, Interval, Stream, Symbol

if TYPE_CHECKING:
    from datetime import date

__all__ = [
    "COMPUTED",
    "RECORDINGS",
    "SUPERSEDED_KEPT",
    "WITH_CLOCK",
    "ObjectKey",
    "ObjectKind",
    "can_be_repaired",
    "is_computed",
    "is_content_of",
    "is_of_day",
    "is_of_recording",
]

_DIGEST_DIGITS: Final = 16
_NAMED_BY_DIGEST: Final = re.compile(rf"data-([0-9a-f]{{{_DIGEST_DIGITS}}})\.parquet")


class ObjectKind(StrEnum):
    """What an object holds; also the first folder of its path."""

    TICKS = "ticks"
    TICK_PARTS = "tick_parts"
    DAY_BARS = "day_bars"
    BARS = "bars"
    BOOK_STATE = "book_state"
    QUARANTINE = "quarantine"
    STATE_ROWS = "state_rows"
    BOOK_UPDATES = "book_updates"
    OPEN_BARS = "open_bars"


RECORDINGS: Final = "recordings"
"""First folder of the paths of recordings, in a store as in a home; they are named by who wrote them and when."""

COMPUTED: Final = frozenset({ObjectKind.DAY_BARS, ObjectKind.BARS, ObjectKind.OPEN_BARS})
"""Kinds that can be made anew from what was imported."""

SUPERSEDED_KEPT: Final = frozenset({ObjectKind.BARS, ObjectKind.QUARANTINE, ObjectKind.OPEN_BARS})
"""Kinds of which earlier revisions stay in the store; those of open days for as long as links to them live."""

WITH_CLOCK: Final = frozenset({ObjectKind.BARS, ObjectKind.OPEN_BARS})
"""Kinds that have a clock and an interval."""

_DATED: Final = frozenset(
    {
        ObjectKind.TICKS,
        ObjectKind.TICK_PARTS,
        ObjectKind.DAY_BARS,
        ObjectKind.BARS,
        ObjectKind.STATE_ROWS,
        ObjectKind.OPEN_BARS,
    }
)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Names one thing that the ledger knows, whatever its revision.

    Attributes:
        kind: What it holds.
        dataset: Tick stream, family of day bars, or metric dataset; empty where it has none.
        exchange: Venue.
        symbol: Atlas symbol; empty where it has none.
        clock: Clock of published bars; empty elsewhere.
        interval: Interval of published bars; empty elsewhere.
        period: `YYYY-MM-DD`, `YYYY-MM`, `YYYY-MM-DD-NNNNNN` (a part of a day), an update id (book state) or a file digest (quarantine).
    """

    kind: ObjectKind
    dataset: str
    exchange: str
    symbol: str
    clock: str
    interval: str
    period: str

    @classmethod
    def ticks(cls, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> Self:
        """Ticks of one stream and UTC day."""
        return cls(ObjectKind.TICKS, stream, exchange, str(symbol), "", "", day.isoformat())

    @classmethod
    def tick_part(cls, stream: Stream, exchange: Exchange, symbol: Symbol, day: date, number: int) -> Self:
        """Ticks that were appended to a UTC day; its parts are numbered from 1 on."""
        return cls(ObjectKind.TICK_PARTS, stream, exchange, str(symbol), "", "", f"{day}-{number:06d}")

    @classmethod
    def day_bars(cls, family: str, exchange: Exchange, symbol: Symbol, day: date) -> Self:
        """Partials of one UTC day: all intervals, both clocks, of the datasets of one family."""
        return cls(ObjectKind.DAY_BARS, family, exchange, str(symbol), "", "", day.isoformat())

    @classmethod
    def bars(
        cls, dataset: str, clock: Clock, interval: Interval, exchange: Exchange, symbol: Symbol, month: date
    ) -> Self:
        """A published month; `month` is any day of it."""
        return cls(ObjectKind.BARS, dataset, exchange, str(symbol), clock, interval, f"{month:%Y-%m}")

    @classmethod
    def open_bars(
        cls, dataset: str, clock: Clock, interval: Interval, exchange: Exchange, symbol: Symbol, day: date
    ) -> Self:
        """The bars of a day that is not over."""
        return cls(ObjectKind.OPEN_BARS, dataset, exchange, str(symbol), clock, interval, day.isoformat())

    @classmethod
    def book_state(cls, exchange: Exchange, symbol: Symbol, sequence: int) -> Self:
        """The whole order book after the update `sequence`, to carry on from."""
        return cls(ObjectKind.BOOK_STATE, Stream.BOOK, exchange, str(symbol), "", "", f"{sequence:020d}")

    @classmethod
    def book_updates(cls, exchange: Exchange, symbol: Symbol, after: int) -> Self:
        """Book updates that carry on from the update `after`, at which no recording has ended yet."""
        return cls(ObjectKind.BOOK_UPDATES, Stream.BOOK, exchange, str(symbol), "", "", f"{after:020d}")

    @classmethod
    def state_rows(cls, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> Self:
        """Rows of files that repeat a state whether or not it has changed, of one UTC day."""
        return cls(ObjectKind.STATE_ROWS, stream, exchange, str(symbol), "", "", day.isoformat())

    @classmethod
    def quarantine(cls, exchange: Exchange, file_sha256: str) -> Self:
        """Frames of one imported file that became no ticks, with their bytes and the reason."""
        return cls(ObjectKind.QUARANTINE, "", exchange, "", "", "", file_sha256)

    def path(self, sha256: str) -> str:
        """Path of the revision with this content."""
        parts: list[str] = [self.kind]
        if self.dataset:
            parts.append(self.dataset)
        if self.kind in WITH_CLOCK:
            parts += [f"timestamp={self.clock}", f"interval={self.interval}"]
        parts.append(f"exchange={self.exchange}")
        if self.symbol:
            parts.append(f"symbol={self.symbol}")
        if self.kind in _DATED:
            names = ("year", "month", "day", "part")
            parts += [f"{name}={value}" for name, value in zip(names, self.period.split("-"), strict=False)]
        else:
            parts.append(self.period)
        return "/".join([*parts, f"data-{sha256[:_DIGEST_DIGITS]}.parquet"])


def is_of_day(path: str, day: date) -> bool:
    """Tell whether what lies at `path` is of a UTC day."""
    return f"/year={day:%Y}/month={day:%m}/day={day:%d}/" in path


def is_computed(path: str) -> bool:
    """Tell whether what lies at `path` can be made anew from what was imported."""
    return path.partition("/")[0] in COMPUTED


def can_be_repaired(path: str) -> bool:
    """Tell whether `ledger verify --repair` makes what lies at `path`, anew or from recordings that are there."""
    return is_computed(path) or path.startswith(f"{ObjectKind.TICK_PARTS}/")


def is_of_recording(path: str) -> bool:
    """Tell whether what lies at `path` belongs to a recording, which the ledger does not know."""
    return path.startswith(f"{RECORDINGS}/")


def is_content_of(path: str, sha256: str) -> bool:
    """Tell whether content with this digest can be what was written at `path`; any can where the path names none."""
    named = _NAMED_BY_DIGEST.fullmatch(path.rpartition("/")[2])
    return named is None or sha256.startswith(named[1])
