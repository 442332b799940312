"""Telling cheaply whether the ledger has changed, so that what was made from it can be kept until it has."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from sqlalchemy import text
from sqlalchemy.exc import DisconnectionError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection

__all__ = ["Generation"]

_POSTGRESQL: Final = text("SELECT pg_current_snapshot()::text")
"""Which transactions can be seen: those that are under way count, for they may end in any order."""

_LOCKED_S: Final = 0.1
"""How long a thread waits for another that reads the value, seconds; SQLite may wait for 10 where others hold its locks."""


class Generation:
    """A value that changes whenever a transaction of any process has changed the ledger, and is never the same again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._connection: DBAPIConnection | None = None
        self._file: Path | None = None
        self._identity: tuple[int, int] | None = None
        database = engine.url.database
        if self.is_quick and database is not None and not database.startswith(":memory:"):
            self._file = Path(unquote(database.removeprefix("file://")))

    @property
    def is_quick(self) -> bool:
        """Whether reading it takes microseconds, since it asks nothing of another host."""
        return self._engine.dialect.name == "sqlite"

    def read(self) -> Hashable:
        """Return the value of this moment; None, which is no value, while another thread waits for it.

        Raises:
            SQLAlchemyError: The ledger does not answer.
            OSError: Its file is gone.
            sqlite3.Error: It cannot be read.
        """
        if not self.is_quick:
            with self._engine.connect() as connection:
                return self.of(connection)
        if not self._lock.acquire(timeout=_LOCKED_S):
            return None
        try:
            identity = self._identity_now()
            if self._connection is None or identity != self._identity:
                self._close()
                self._connection, self._identity = self._connect(), identity
            return identity, self._data_version(self._connection)
        finally:
            self._lock.release()

    @staticmethod
    def of(connection: Connection) -> Hashable:
        """Return the value of this moment by an open connection to a PostgreSQL ledger."""
        return str(connection.execute(_POSTGRESQL).scalar_one())

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _connect(self) -> DBAPIConnection:
        pooled = self._engine.raw_connection()
        pooled.detach()
        connection = pooled.dbapi_connection
        if connection is None:
            raise DisconnectionError
        return connection

    @staticmethod
    def _data_version(connection: DBAPIConnection) -> int:
        # The same connection has to be asked each time; it says that others have written.
        driver: Any = connection
        version: int = driver.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _identity_now(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        found = self._file.stat()
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
