"""Opening the ledger database and keeping its schema up to date."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import URL, Engine, column, create_engine, event, inspect, literal, select, table, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.schema import SCHEMA_REVISION, metadata, own_store, plans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["PATIENT_S", "SERVING_S", "FoundLedger", "begin_write", "is_unused", "look_at_ledger", "open_ledger"]

PATIENT_S: Final = 30.0
"""How long a command waits for a ledger that others hold, seconds."""

SERVING_S: Final = 3.0
"""How long a server waits for it before it answers that the ledger is not available, seconds."""

_FILE: Final = "aperiodic_file"
_VERSION_TABLE: Final = "alembic_version"
_BUSY_PAUSE_S: Final = 0.01
_WRITES: Final = "aperiodic_writes"
_CONNECT_S: Final = 5
_STATEMENT_WAITS: Final = 5
_RECYCLE_S: Final = 1800
_WRITING: Final = 0x6170_6572_696F_0002
"""Number of the advisory lock that PostgreSQL keeps during a transaction that writes."""


def open_ledger(url: str, *, busy_s: float = PATIENT_S, on_new: Callable[[], None] | None = None) -> Engine:
    """Open the ledger, creating or upgrading its tables when they are not the current ones.

    A SQLite file that cannot be written, as in a copy made for reading, is opened for reading only.

    Args:
        url: SQLAlchemy URL. For SQLite the folder is made when it is missing; a new file is for its owner only.
        busy_s: Seconds to wait for a lock or a free connection; with PostgreSQL a statement may take five times that.
        on_new: Called before anything is made where there is no ledger yet; what it raises stays the only effect.

    Raises:
        LakeError: `ledger_unavailable` when it cannot be opened, `ledger_newer` when a newer version wrote it.
    """
    try:
        location = make_url(url)
        file = _file_of(location)
        if on_new is not None and file is not None and not file.exists():
            _ask(on_new, lambda: not file.exists())
        engine = _engine(location, busy_s)
        with ExitStack() as on_failure:
            on_failure.callback(engine.dispose)
            with engine.connect() as connection:
                versions = _versions(connection)
            if on_new is not None and not versions:
                _ask(on_new, lambda: _has_no_tables(engine))
            if versions != [SCHEMA_REVISION]:
                with begin_write(engine) as connection:
                    _upgrade(connection)
            on_failure.pop_all()
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise _unavailable(url, error) from error
    return engine


def is_unused(url: str, *, busy_s: float = PATIENT_S) -> bool:
    """Whether there is no ledger, or one that nothing was ever written to; nothing is made or upgraded.

    All that was written counts, leases too: they stay when an import breaks off before its first commit, and so tell
    a ledger that has just begun from one that was made in the place of a lost one. The name of its store does not.

    Raises:
        LakeError: `ledger_unavailable` when it cannot be read.
    """
    with look_at_ledger(url, busy_s=busy_s) as found:
        if found is None:
            return True
        written = (each for each in metadata.sorted_tables if each not in (own_store, plans))
        return all(
            found.connection.execute(select(literal(1)).select_from(each).limit(1)).first() is None
            for each in written
            if each.name in found.tables
        )


class FoundLedger(NamedTuple):
    """A ledger as it is, of whatever version.

    Attributes:
        connection: To read it.
        tables: Names of its tables.
    """

    connection: Connection
    tables: frozenset[str]


@contextmanager
def look_at_ledger(url: str, *, busy_s: float = PATIENT_S) -> Iterator[FoundLedger | None]:
    """Open a ledger for reading, or give None where there is none; nothing is made or upgraded.

    Raises:
        LakeError: `ledger_unavailable` when it cannot be read.
    """
    try:
        location = make_url(url)
        file = _file_of(location)
        if file is not None and not file.exists():
            yield None
            return
        engine = _engine(location, busy_s)
        try:
            with engine.connect() as connection:
                yield FoundLedger(connection, frozenset(inspect(connection).get_table_names()))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise _unavailable(url, error) from error


def begin_write(engine: Engine) -> AbstractContextManager[Connection]:
    """Begin a transaction that will write; it commits at the end of the `with` block.

    Such transactions come one after the other, so that one that reads first and writes later writes what is still
    true. SQLite takes its write lock at once for that (two that took it later would deadlock), PostgreSQL a lock of ours.
    """
    return engine.execution_options(**{_WRITES: True}).begin()


def _unavailable(url: str, error: Exception) -> LakeError:
    try:
        kind = make_url(url).get_backend_name()
    except SQLAlchemyError:
        kind = "unknown kind"
    return LakeError(
        f"The ledger ({kind}) cannot be opened: {reason_of(error)}.",
        code="ledger_unavailable",
        hint="Check APERIODIC_HOME or APERIODIC_LEDGER, and that the database can be written.",
    )


def _engine(location: URL, busy_s: float) -> Engine:
    if location.get_backend_name() == "sqlite":
        return _sqlite_engine(location, busy_s)
    if location.get_backend_name() == "postgresql":
        return _postgresql_engine(location, busy_s)
    return create_engine(location)


def _postgresql_engine(location: URL, busy_s: float) -> Engine:
    wait_ms = round(busy_s * 1000)
    options = f"-c lock_timeout={wait_ms} -c statement_timeout={_STATEMENT_WAITS * wait_ms}"
    # A connection that a firewall dropped is found out within a minute instead of the system's two hours.
    alive = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    engine = create_engine(
        location,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_S,
        pool_timeout=busy_s,
        connect_args={"connect_timeout": _CONNECT_S, "application_name": "aperiodic", "options": options, **alive},
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _sqlite_engine(location: URL, busy_s: float) -> Engine:
    file = _file_of(location)
    options: dict[str, str] = {}
    if file is None:
        engine = create_engine(location)
    else:
        options = _options(file)
        location = location.set(database=file.as_uri()).update_query_dict({**options, "uri": "true"})
        engine = create_engine(location, pool_timeout=busy_s)
        event.listen(engine, "checkout", partial(_require_same_file, file))
    read_only = options.get("mode") == "ro"
    event.listen(engine, "connect", partial(_tune_sqlite, file, busy_s, read_only=read_only))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _file_of(location: URL) -> Path | None:
    """Return the file of a SQLite ledger; None for other databases and those in memory."""
    if location.get_backend_name() != "sqlite":
        return None
    database = location.database or ":memory:"
    return None if database.startswith((":memory:", "file:")) else Path(database).absolute()


def _options(file: Path) -> dict[str, str]:
    """Make the file where there is none; return how SQLite has to open it."""
    # From here on a file that is gone is an error; SQLite would quietly make an empty one.
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    if _can_write(file) and _can_write(file.parent):
        return {"mode": "rw"}
    # SQLite needs the write-ahead log, or the right to make one, unless it may take the file as it is.
    log = file.with_name(f"{file.name}-wal")
    return {"mode": "ro"} if log.exists() else {"mode": "ro", "immutable": "1"}


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _require_same_file(file: Path, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Let the pool connect anew when the file is another one than the connection has open, as after a restore."""
    if record.info.get(_FILE) != _identity(file):
        raise DisconnectionError


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _versions(connection: Connection) -> list[str]:
    """Return what says which version wrote the ledger: nothing when it has no tables yet."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return []
    return list(connection.execute(select(column("version_num")).select_from(table(_VERSION_TABLE))).scalars())


def _has_no_tables(engine: Engine) -> bool:
    with engine.connect() as connection:
        return not _versions(connection)


def _ask(on_new: Callable[[], None], is_new: Callable[[], bool]) -> None:
    """Call `on_new`; what it found counts for nothing when somebody else has made the ledger meanwhile."""
    try:
        on_new()
    except LakeError:
        if is_new():
            raise


def _upgrade(connection: Connection) -> None:
    # Alembic takes half a second to import and is needed once in a version's life.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resources.files("aperiodic.lake") / "migrations"))
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise LakeError(
            "The ledger was written by a newer version of aperiodic.",
            code="ledger_newer",
            hint="Run the version that wrote it, or a newer one.",
        )
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    command.upgrade(config, "head")


def _tune_sqlite(
    file: Path | None,
    busy_s: float,
    connection: Any,  # noqa: ANN401 - SQLAlchemy hands over the driver's own type
    record: ConnectionPoolEntry,
    *,
    read_only: bool,
) -> None:
    connection.isolation_level = None
    if file is not None:
        record.info[_FILE] = _identity(file)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
    if not read_only:
        _use_write_ahead_log(cursor, busy_s)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: sqlite3.Cursor, busy_s: float) -> None:
    """Switch to the write-ahead log; SQLite's own busy timeout does not wait when several processes do so at once."""
    deadline = time.monotonic() + busy_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            return


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITING})")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
