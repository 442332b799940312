"""Opening the ledger database and keeping its schema up to date."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, column, create_engine, event, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake.errors import LakeError
from aperiodic.lake.schema import SCHEMA_REVISION

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

__all__ = ["begin_write", "open_ledger"]

_BUSY_TIMEOUT_MS: Final = 30_000
_VERSION_TABLE: Final = "alembic_version"
_BUSY_PAUSE_S: Final = 0.01
_WRITES: Final = "aperiodic_writes"


def open_ledger(url: str) -> Engine:
    """Open the ledger, creating or upgrading its tables when they are not the current ones.

    Args:
        url: SQLAlchemy URL. For SQLite the folder is made when it is missing.

    Raises:
        LakeError: `ledger_unavailable` when it cannot be opened, `ledger_newer` when a newer version wrote it.
    """
    kind = "unknown kind"
    try:
        location = make_url(url)
        kind = location.get_backend_name()
        if location.drivername.startswith("sqlite") and location.database:
            Path(location.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(location)
        with ExitStack() as on_failure:
            on_failure.callback(engine.dispose)
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _tune_sqlite)
                event.listen(engine, "begin", _begin_sqlite)
            with engine.connect() as connection:
                current = _is_current(connection)
            if not current:
                with begin_write(engine) as connection:
                    _upgrade(connection)
            on_failure.pop_all()
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise LakeError(
            f"The ledger ({kind}) cannot be opened: {type(error).__name__}.",
            code="ledger_unavailable",
            hint="Check APERIODIC_HOME or APERIODIC_LEDGER, and that the database can be written.",
        ) from error
    return engine


def begin_write(engine: Engine) -> AbstractContextManager[Connection]:
    """Begin a transaction that will write; it commits at the end of the `with` block.

    SQLite takes the write lock at once here: two transactions that read first and write later would deadlock.
    """
    return engine.execution_options(**{_WRITES: True}).begin()


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return False
    versions: list[str] = list(
        connection.execute(select(column("version_num")).select_from(table(_VERSION_TABLE))).scalars()
    )
    return versions == [SCHEMA_REVISION]


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
            hint="Upgrade with pip install -U 'aperiodic[server]'.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _tune_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy hands over the driver's own types
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    """Switch to the write-ahead log; SQLite's own busy timeout does not wait when several processes do so at once."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
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


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
