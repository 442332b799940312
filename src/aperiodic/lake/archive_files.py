"""The ledger's record of which files of public archives the ticks of a day were made of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, func, insert, select

from aperiodic.lake.schema import archive_files

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

__all__ = [
    "ABSENT",
    "IMPORTED",
    "ArchivedFile",
    "FileSum",
    "absent_days",
    "read_archived",
    "record_archived",
    "sum_of_file",
]

IMPORTED: Final = "imported"
"""The file was read."""
ABSENT: Final = "absent"
"""The archive did not have it when it should have been there for long."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """What one file of an archive gave to a day of a series.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        day: UTC day, `YYYY-MM-DD`.
        archive: Name of the archive.
        path: Where the file lies in it.
        state: `imported` or `absent`.
        sha256: Digest of the file; empty when it is absent.
        size: Bytes.
        etag: The server's mark of the content, in small letters; empty if it gave none.
        rows: Ticks of the day that it holds.
        finished_at: When that became true, µs.
    """

    exchange: str
    symbol: str
    stream: str
    day: str
    archive: str
    path: str
    state: str
    sha256: str
    size: int
    etag: str
    rows: int
    finished_at: int


class FileSum(NamedTuple):
    """What a file gave to all series and days.

    Attributes:
        ticks: Ticks by stream.
        first_day: First UTC day, `YYYY-MM-DD`.
        last_day: Last one.
    """

    ticks: dict[str, int]
    first_day: str
    last_day: str


_NAMES: Final = tuple(field.name for field in fields(ArchivedFile))
_COLUMNS: Final = tuple(archive_files.c[name] for name in _NAMES)


def read_archived(
    connection: Connection, exchange: str, symbols: Collection[str], first: str, last: str
) -> dict[tuple[str, str, str], list[ArchivedFile]]:
    """Return the files of the days of some symbols, by symbol, stream and day.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        first: First UTC day, `YYYY-MM-DD`.
        last: Last one.
    """
    found: defaultdict[tuple[str, str, str], list[ArchivedFile]] = defaultdict(list)
    query = select(*_COLUMNS).where(
        archive_files.c.exchange == exchange,
        archive_files.c.symbol.in_(sorted(symbols)),
        archive_files.c.day.between(first, last),
    )
    for row in connection.execute(query.order_by(archive_files.c.id)):
        file = ArchivedFile(*row)
        found[file.symbol, file.stream, file.day].append(file)
    return dict(found)


def record_archived(connection: Connection, files: Sequence[ArchivedFile]) -> None:
    """Record the files of some days; those that were recorded of these days before give way."""
    for exchange, symbol, stream, day in {(each.exchange, each.symbol, each.stream, each.day) for each in files}:
        connection.execute(
            delete(archive_files).where(
                archive_files.c.exchange == exchange,
                archive_files.c.symbol == symbol,
                archive_files.c.stream == stream,
                archive_files.c.day == day,
            )
        )
    if files:
        connection.execute(insert(archive_files), [dict(zip(_NAMES, astuple(each), strict=True)) for each in files])


def sum_of_file(connection: Connection, exchange: str, sha256: str) -> FileSum | None:
    """Return what a file gave in all; None if nothing is known of it."""
    query = select(
        archive_files.c.stream,
        func.sum(archive_files.c.rows),
        func.min(archive_files.c.day),
        func.max(archive_files.c.day),
    ).where(archive_files.c.exchange == exchange, archive_files.c.sha256 == sha256)
    rows = connection.execute(query.group_by(archive_files.c.stream).order_by(archive_files.c.stream)).all()
    if not rows:
        return None
    return FileSum({row[0]: int(row[1]) for row in rows}, min(row[2] for row in rows), max(row[3] for row in rows))


def absent_days(
    connection: Connection, exchange: str, symbol: str, stream: str, first: str, last: str
) -> frozenset[str]:
    """Return the UTC days of a series, `YYYY-MM-DD`, of which the archive has no file at all."""
    query = (
        select(archive_files.c.day)
        .where(
            archive_files.c.exchange == exchange,
            archive_files.c.symbol == symbol,
            archive_files.c.stream == stream,
            archive_files.c.day.between(first, last),
        )
        .group_by(archive_files.c.day)
        .having(func.min(archive_files.c.state) == ABSENT, func.max(archive_files.c.state) == ABSENT)
    )
    return frozenset(connection.execute(query).scalars())
