"""What a venue publishes of days gone by: which files hold a day of a stream, when they appear, how they are read.

Pure declarations; `engine.backfilling` fetches the files and reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import polars as pl

from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aperiodic.venues.checks import Check
    from aperiodic.venues.contracts import Contract
    from aperiodic.venues.events import Row

__all__ = [
    "HOUR_US",
    "NOT_IN_ARCHIVE",
    "ArchiveBase",
    "ArchiveFile",
    "ArchiveTable",
    "LineLayout",
    "LineReader",
    "SizeSource",
    "TableLayout",
    "TardisLayout",
    "day_file",
    "epoch_us",
    "first_monday",
    "month_of",
]

HOUR_US: Final = 3_600_000_000

NOT_IN_ARCHIVE: Final = "not_in_archive"
"""Why something is missing that the venue's own archive does not hold."""

_FIRST_US: Final = 100_000_000_000_000
"""Larger numbers are µs since the epoch, smaller ones ms: in ms it is the year 5138, in µs 1973."""


@dataclass(frozen=True, slots=True)
class ArchiveBase:
    """Where files lie.

    Attributes:
        name: Names its setting, `APERIODIC_ARCHIVE_<NAME>` in capitals, and its folder.
        label: What it is called.
        url: Address without a slash at the end; `s3://bucket?region=…` for a bucket where the reader pays.
        checksums: Whether a file `….CHECKSUM` with its SHA-256 lies beside each.
        usd_per_gib: What the reader pays for what is fetched, about; 0 where it is free.
    """

    name: str
    label: str
    url: str
    checksums: bool = False
    usd_per_gib: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether the reader pays."""
        return self.usd_per_gib > 0


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file, which may hold more than the day and the instrument that it is fetched for.

    Attributes:
        base: Where it lies.
        paths: Where below the base, in the order in which they are tried; the first one names it.
        begin: Exchange time from which it holds everything, µs.
        end: Until before when, µs.
        published_by: When it is there at the latest, µs: one that is not there by then will not come.
        slack: Events so long before `begin` or after `end` may be in it as well, µs.
        expected_size: About how large it is, bytes; 0 if that is not known.
    """

    base: ArchiveBase
    paths: tuple[str, ...]
    begin: int
    end: int
    published_by: int
    slack: int = 0
    expected_size: int = 0

    @property
    def path(self) -> str:
        """Where it lies below the base, unless it lies at another of its paths."""
        return self.paths[0]

    @property
    def name(self) -> str:
        """File name, without folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table of text is read. Expressions see the columns as text.

    Attributes:
        columns: Columns in order, for files without a header; those with one may order them otherwise and have more.
        time: Exchange time in µs as Int64; null where it cannot be read.
        streams: Value columns of the ticks by stream, without the two times; a missing one stays null.
        checks: Made in this order, after that of the time.
        optional: Further columns at the end that newer files have.
        instrument: Column with the venue's name of the instrument; None where a file holds only one.
        present: By stream, which rows tell something of it; without an entry all do.
        order: What rows are ordered by, besides their numbers; expressions of the file's columns.
        once: Names of tick columns that together name an event; of several rows the first is kept. Without any, rows
            that are equal are one.
        numbered: Whether `sequence` counts up by one, so that it proves what is missing.
        contracts: Whether amounts are contracts.
    """

    columns: tuple[str, ...]
    time: pl.Expr
    streams: Mapping[Stream, Mapping[str, pl.Expr]]
    checks: Sequence[Check] = ()
    optional: tuple[str, ...] = ()
    instrument: str | None = None
    present: Mapping[Stream, pl.Expr] = field(default_factory=dict)
    order: tuple[pl.Expr, ...] = ()
    once: tuple[str, ...] = ()
    numbered: bool = False
    contracts: bool = False


class LineReader(Protocol):
    """Reads the lines of the files of a day, in order, and keeps what it has to remember."""

    def read(self, line: bytes) -> None:
        """Read one line.

        Raises:
            RejectedFrameError: The line makes no tick.
        """

    def known_from(self, native: str) -> int | None:
        """Return since when what it tells of an instrument is whole, exchange time in µs; None: not at all."""


Appender: TypeAlias = "Callable[[Stream, str], Callable[[Row], None]]"
"""Returns what takes the ticks of a stream and an instrument, by the venue's name."""


@dataclass(frozen=True, slots=True)
class LineLayout:
    """How a file of JSON lines is read.

    Attributes:
        reader: Makes a reader of some instruments, by the venue's names.
        once: As in `TableLayout`.
        contracts: Whether amounts are contracts; the reader passes them on as they are.
        ordered: Whether ticks come in order of time, so that they need not be held together.
    """

    reader: Callable[[Appender, Sequence[str]], LineReader]
    once: tuple[str, ...] = ()
    contracts: bool = False
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class SizeSource:
    """A file that tells how much one contract was on a day.

    Attributes:
        file: Which file, by the venue's name of the instrument.
        read: Reads its content: the size, None if it does not tell; `ValueError` if it changed on that day.
    """

    file: Callable[[str, date], ArchiveFile]
    read: Callable[[bytes], Contract | None]


@dataclass(frozen=True, slots=True)
class TardisLayout:
    """A file of Tardis', which the importer of such files reads."""


@dataclass(frozen=True, slots=True)
class ArchiveTable:
    """One kind of file.

    Attributes:
        name: The archive's name of it.
        streams: Tick streams that are made of it.
        since: First UTC day of which there may be files.
        until: Last one; None: they are still being made.
        files: Which files hold a UTC day of an instrument, by the venue's name; together they hold all of it.
        layout: How they are read.
        notes: What a reader of the data should know.
        shared: Whether a file holds all instruments.
        first_of_month: Whether there are files of the first day of each month only.
        sizes: What tells the size of an instrument's contract on a day, where that is not always the same.
    """

    name: str
    streams: tuple[Stream, ...]
    since: date
    until: date | None
    files: Callable[[str, date], tuple[ArchiveFile, ...]]
    layout: TableLayout | LineLayout | TardisLayout
    notes: tuple[str, ...] = ()
    shared: bool = False
    first_of_month: bool = False
    sizes: SizeSource | None = None

    def offers(self, day: date) -> bool:
        """Whether there may be files of a day."""
        if self.first_of_month and day.day != 1:
            return False
        return self.since <= day and (self.until is None or day <= self.until)


def epoch_us(name: str) -> pl.Expr:
    """Read a column of ms or µs since the epoch as µs: which of them, the number itself tells."""
    told = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(told < _FIRST_US).then(told * 1_000).otherwise(told)


def day_file(
    base: ArchiveBase, path: str, day: date, published_after: int, *, begin: int = 0, slack: int = 0
) -> ArchiveFile:
    """Return the file of a day that begins `begin` µs after midnight UTC and is there `published_after` µs after its end."""
    start = day_start_us(day) + begin
    end = start + DAY_US
    return ArchiveFile(base, (path,), start, end, end + published_after, slack)


def month_of(day: date) -> tuple[date, date]:
    """Return the first day of a month and of the next one."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def first_monday(month: date) -> date:
    """Return the first Monday of a month, of which the first day is given."""
    return month + timedelta(days=-month.weekday() % 7)
