"""The ledger's record of imported files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import Text, cast, delete, insert, select, update

from aperiodic.lake.schema import imports

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = [
    "ImportRecord",
    "find_import",
    "forget_imports",
    "imports_with_note",
    "is_imported",
    "read_imports",
    "received_between",
    "record_import",
    "remove_import",
    "remove_note",
]


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One imported file.

    Attributes:
        source: `recording`, `tardis` or `archive`.
        exchange: Venue.
        sha256: Digest of the file as it lay on disk.
        name: File name, without folders.
        size: Bytes.
        version: Version of the importer that read it.
        lines: Lines read.
        first_received: Earliest arrival time, µs; None if no line had one. Files of an archive have none: there it is
            the earliest exchange time of what was taken over.
        last_received: Latest one, likewise.
        ticks: Ticks of each stream that the file holds.
        rejected: Lines that became no tick, by machine code.
        notes: What a reader of the data should know (`aggregated_trades`, `modelled_exchange_time`).
        finished_at: When the import was committed, µs.
    """

    source: str
    exchange: str
    sha256: str
    name: str
    size: int
    version: int
    lines: int
    first_received: int | None
    last_received: int | None
    ticks: dict[str, int]
    rejected: dict[str, int]
    notes: list[str]
    finished_at: int


_NAMES = tuple(field.name for field in fields(ImportRecord))


def find_import(connection: Connection, source: str, exchange: str, sha256: str) -> ImportRecord | None:
    """Return the record of a file's import, or None."""
    found = (
        connection.execute(
            select(imports).where(
                imports.c.source == source, imports.c.exchange == exchange, imports.c.sha256 == sha256
            )
        )
        .mappings()
        .one_or_none()
    )
    return None if found is None else ImportRecord(**{name: found[name] for name in _NAMES})


def is_imported(connection: Connection, source: str, exchange: str, sha256: str) -> bool:
    """Whether a file was imported."""
    return find_import(connection, source, exchange, sha256) is not None


def read_imports(connection: Connection, exchange: str | None = None) -> list[ImportRecord]:
    """Return all imports, or those of one exchange, in the order they were made."""
    query = select(imports).order_by(imports.c.id)
    if exchange is not None:
        query = query.where(imports.c.exchange == exchange)
    return [ImportRecord(**{name: row[name] for name in _NAMES}) for row in connection.execute(query).mappings()]


def received_between(
    connection: Connection, source: str, exchange: str, first: int, last: int, *, but: str
) -> list[tuple[int, int]]:
    """Return when files that received anything between two times, µs, began and ended, ascending; not that of a digest."""
    query = select(imports.c.first_received, imports.c.last_received).where(
        imports.c.source == source,
        imports.c.exchange == exchange,
        imports.c.first_received <= last,
        imports.c.last_received >= first,
        imports.c.sha256 != but,
    )
    return [(row[0], row[1]) for row in connection.execute(query.order_by(imports.c.first_received, imports.c.id))]


def imports_with_note(connection: Connection, exchange: str, note: str) -> list[ImportRecord]:
    """Return the files of an exchange that have a note."""
    rows = connection.execute(select(imports).where(*_with_note(exchange, note))).mappings()
    return [ImportRecord(**{name: row[name] for name in _NAMES}) for row in rows]


def _with_note(exchange: str, note: str) -> tuple[ColumnElement[bool], ...]:
    return imports.c.exchange == exchange, cast(imports.c.notes, Text).contains(f'"{note}"', autoescape=True)


def remove_note(connection: Connection, exchange: str, note: str) -> None:
    """Take a note off all files that have it, because it is true no longer."""
    for row in connection.execute(select(imports.c.id, imports.c.notes).where(*_with_note(exchange, note))).all():
        left = [other for other in row.notes if other != note]
        connection.execute(update(imports).where(imports.c.id == row.id).values(notes=left))


def record_import(connection: Connection, record: ImportRecord) -> None:
    """Record an import; an earlier one of the same file gives way to it."""
    remove_import(connection, record.source, record.exchange, record.sha256)
    connection.execute(insert(imports).values(**{name: getattr(record, name) for name in _NAMES}))


def remove_import(connection: Connection, source: str, exchange: str, sha256: str) -> None:
    """Forget one file."""
    connection.execute(
        delete(imports).where(imports.c.source == source, imports.c.exchange == exchange, imports.c.sha256 == sha256)
    )


def forget_imports(connection: Connection, exchange: str, first_received: int, last_received: int) -> None:
    """Forget the files of an exchange in which anything was received between two times (µs, both included)."""
    connection.execute(
        delete(imports).where(
            imports.c.exchange == exchange,
            imports.c.last_received >= first_received,
            imports.c.first_received <= last_received,
        )
    )
