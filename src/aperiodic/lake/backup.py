"""Copies of the ledger: one SQLite file that holds all of it, whatever database the ledger itself runs on.

A copy is a snapshot of one moment, taken while servers and builds go on. It is written under another name, synced,
checked, and only then put in place. Restoring is one transaction into a ledger that holds nothing yet, so a backup
of one kind of database can be restored into the other.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, column, create_engine, delete, event, func, insert, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from aperiodic.lake.durability import sync_to_disk
from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.lake.schema import SCHEMA_REVISION, leases, metadata, objects, own_store, plans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Table

__all__ = ["back_up", "restore"]

_ROWS: Final = 5_000
_PAGES: Final = 2_000
_TABLES: Final = tuple(each for each in metadata.sorted_tables if each is not leases)
"""What is worth keeping; leases belong to running programs."""

_MADE_ANEW: Final = (plans, own_store)
"""What a ledger has that was opened and nothing else; a backup takes its place."""

_VERSION: Final = table("alembic_version", column("version_num"))


def back_up(
    url: str, file: Path, *, replace: bool = False, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, int]:
    """Copy a ledger into a SQLite file; a SQLite ledger of an older version is copied as it is.

    Args:
        url: SQLAlchemy URL of the ledger, which is only read.
        file: Where the copy goes; readable by its owner only.
        replace: Whether a file that is there is replaced.
        progress: Called with what is being copied, how much of it is done, and how much there is.

    Returns:
        Rows of each table.

    Raises:
        LakeError: `backup_exists`, `backup_would_be_empty`, `backup_failed`, `ledger_other_version` or `ledger_unavailable`. The file is then
            what it was before.
    """
    report = progress or _silent
    if file.exists() and not replace:
        raise _exists(file)
    try:
        # Next to the file, so that it can be put in place by a rename.
        with TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as folder:
            draft = Path(folder) / "ledger.sqlite"
            draft.touch(mode=0o600)
            location = make_url(url)
            counts = (
                _copy_file(Path(location.database or ""), draft, report)
                if location.get_backend_name() == "sqlite"
                else _copy_server(location, draft, report)
            )
            _check(draft, counts)
            if not counts.get(objects.name) and _holds_objects(file):
                raise _empty(file)
            _put_in_place(draft, file, replace=replace)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise _failed(reason_of(error)) from error
    except sqlite3.Error as error:
        raise _failed(str(error)) from error
    except SQLAlchemyError as error:
        raise LakeError(
            f"The ledger cannot be read: {reason_of(error)}.",
            code="ledger_unavailable",
            hint="Check APERIODIC_LEDGER, and that the database can be reached.",
        ) from error
    return counts


def restore(engine: Engine, file: Path, *, progress: Callable[[str, int, int], None] | None = None) -> dict[str, int]:
    """Fill an empty ledger with what a backup holds, in one transaction; ids stay what they were.

    The backup is not changed. One of an older version is upgraded in a copy first, in the folder for temporary files.

    Args:
        engine: Ledger that `open_ledger` opened; its plans and the name of its store are replaced by those of the backup.
        file: What `back_up` wrote.
        progress: Called with the table being filled, the rows done, and the rows there are.

    Returns:
        Rows of each table.

    Raises:
        LakeError: `ledger_not_empty`, `not_a_backup`, `ledger_newer` or `restore_failed`. The ledger is then as empty
            as before.
    """
    report = progress or _silent
    with _backup_as_ledger(file, report) as backup:
        try:
            with backup.connect() as source, begin_write(engine) as target:
                _require_empty(target)
                counts = _copy_rows(source, target, report)
                _continue_sequences(target)
                if _row_counts(target) != counts:
                    raise LakeError(
                        "The ledger was written to while it was being restored.",
                        code="restore_failed",
                        hint="Nothing was restored. Stop servers and builds, then try again.",
                    )
        except SQLAlchemyError as error:
            raise LakeError(
                f"The ledger did not take what the backup holds: {reason_of(error)}.",
                code="restore_failed",
                hint="Nothing was restored. Stop servers and builds, check free space, then try again.",
            ) from error
    return counts


def _silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _copy_file(source: Path, draft: Path, report: Callable[[str, int, int], None]) -> dict[str, int]:
    """Copy a SQLite database page by page and return the rows of its tables."""
    with closing(_open_read_only(source)) as reading, closing(sqlite3.connect(draft)) as writing:
        # Counting pins the snapshot: pages that others write from here on are not in it, and do not restart the copy.
        reading.execute("BEGIN")
        counts = _count_in_file(reading)
        reading.backup(
            writing, pages=_PAGES, progress=lambda _status, left, total: report("pages", total - left, total)
        )
        # One file: the write-ahead log that the pages say they have would be a second.
        writing.execute("PRAGMA journal_mode = DELETE")
    return counts


def _copy_server(location: URL, draft: Path, report: Callable[[str, int, int], None]) -> dict[str, int]:
    """Copy the rows of a database server's ledger into a new SQLite database and return how many each table has."""
    with _disposing(create_engine(location)) as server, _disposing(open_ledger(f"sqlite:///{draft}")) as copy:
        snapshot = server.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with snapshot as source, begin_write(copy) as target:
            if source.execute(select(_VERSION)).scalars().all() != [SCHEMA_REVISION]:
                raise LakeError(
                    "The ledger was written by another version of aperiodic.",
                    code="ledger_other_version",
                    hint="Back it up with the version that wrote it.",
                )
            counts = _copy_rows(source, target, report)
    with closing(sqlite3.connect(draft)) as writing:
        writing.execute("PRAGMA journal_mode = DELETE")
    return counts


def _copy_rows(source: Connection, target: Connection, report: Callable[[str, int, int], None]) -> dict[str, int]:
    """Copy all rows, referenced tables first, a bounded number at a time; return how many each table has."""
    total = _row_counts(source)
    for each in _MADE_ANEW:
        target.execute(delete(each))
    for name in total:
        copied = metadata.tables[name]
        rows = source.execute(
            select(copied).order_by(*copied.primary_key), execution_options={"yield_per": _ROWS}
        ).mappings()
        done = 0
        for batch in rows.partitions():
            target.execute(insert(copied), [dict(row) for row in batch])
            done += len(batch)
            report(name, done, total[name])
    return total


def _continue_sequences(target: Connection) -> None:
    """Let the next row of each table come after the copied ones; SQLite does so by itself."""
    if target.dialect.name != "postgresql":
        return
    for filled in _TABLES:
        numbered = filled.autoincrement_column
        if numbered is not None:
            following = select(func.coalesce(func.max(numbered), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(filled.name, numbered.name)
            target.execute(select(func.setval(sequence, following, False)))  # noqa: FBT003 - SQL has no keywords


@contextmanager
def _backup_as_ledger(file: Path, report: Callable[[str, int, int], None]) -> Iterator[Engine]:
    """Open a backup as a ledger of this version: the file itself, only for reading, or an upgraded copy of it."""
    try:
        with closing(_open_read_only(file)) as connection:
            counts = _count_in_file(connection)
            version = connection.execute(f"SELECT version_num FROM {_VERSION.name}").fetchall()  # noqa: S608 - a name of ours
        _check(file, counts)
    except (sqlite3.Error, OSError) as error:
        raise _not_a_backup(file, error) from error
    if version == [(SCHEMA_REVISION,)]:
        reading = create_engine("sqlite://", creator=partial(_open_read_only, file), poolclass=NullPool)
        # All of it is read as it is when the first row is.
        event.listen(reading, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with _disposing(reading) as engine:
            yield engine
        return
    with TemporaryDirectory(prefix="aperiodic-restore-") as folder:
        copy = Path(folder) / "ledger.sqlite"
        try:
            _copy_file(file, copy, report)
        except (sqlite3.Error, OSError) as error:
            raise _not_a_backup(file, error) from error
        with _disposing(open_ledger(f"sqlite:///{copy}")) as engine:
            yield engine


def _require_empty(target: Connection) -> None:
    filled = [name for name, rows in _row_counts(target).items() if rows and metadata.tables[name] not in _MADE_ANEW]
    if filled:
        raise LakeError(
            f"The ledger is not empty: it has rows in {', '.join(filled)}.",
            code="ledger_not_empty",
            hint="Restore into a new one: set APERIODIC_HOME to a new folder, or APERIODIC_LEDGER to a new database.",
        )


def _row_counts(connection: Connection) -> dict[str, int]:
    return {name.name: _rows(connection, name) for name in _TABLES}


def _rows(connection: Connection, counted: Table) -> int:
    count: int = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    return count


def _open_read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _count_in_file(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the rows of a ledger's tables, whatever its version.

    Raises:
        sqlite3.DatabaseError: The database is no ledger.
    """
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if _VERSION.name not in found:
        raise sqlite3.DatabaseError("it is no ledger")
    names = [each.name for each in _TABLES if each.name in found]
    return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608 - names of ours


def _check(file: Path, counts: dict[str, int]) -> None:
    """Make sure that a copy is sound and has all rows.

    Raises:
        sqlite3.DatabaseError: It is not, or has not.
    """
    with closing(_open_read_only(file)) as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        related = connection.execute("PRAGMA foreign_key_check").fetchone() is None
        if not (sound and related and _count_in_file(connection) == counts):
            raise sqlite3.DatabaseError("the copy is damaged")


def _put_in_place(draft: Path, file: Path, *, replace: bool) -> None:
    sync_to_disk(draft)
    if replace:
        draft.replace(file)
    else:
        file.hardlink_to(draft)  # unlike a rename, this refuses when somebody else was faster
    sync_to_disk(file.parent)


@contextmanager
def _disposing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _holds_objects(file: Path) -> bool:
    """Whether a file is a ledger that knows of objects."""
    try:
        with closing(_open_read_only(file)) as connection:
            return _count_in_file(connection).get(objects.name, 0) > 0
    except sqlite3.Error:
        return False


def _empty(file: Path) -> LakeError:
    return LakeError(
        f"The ledger knows of no objects, but the backup at {file} does; it was left as it is.",
        code="backup_would_be_empty",
        hint="Check APERIODIC_HOME and APERIODIC_LEDGER. To start anew, write to another file.",
    )


def _exists(file: Path) -> LakeError:
    return LakeError(
        f"There is a file {file} already.",
        code="backup_exists",
        hint="Choose another name, or replace it with --force.",
    )


def _failed(why: str) -> LakeError:
    return LakeError(
        f"The backup failed: {why}.",
        code="backup_failed",
        hint="Check APERIODIC_HOME or APERIODIC_LEDGER, and free space and permissions where the file goes.",
    )


def _not_a_backup(file: Path, error: Exception) -> LakeError:
    return LakeError(
        f"{file} cannot be restored: {error}.",
        code="not_a_backup",
        hint="Give a file that was written by: aperiodic ledger backup FILE",
    )
