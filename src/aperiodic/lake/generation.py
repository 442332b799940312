"""Telling cheaply whether the ledger has changed, so that what was made from it can be kept until it has."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy import Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["Generation"]

_POSTGRESQL: Final = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
"""Changes with every transaction that wrote something."""


class Generation:
    """A value that changes whenever a transaction of any process has changed the ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._connection: PoolProxiedConnection | None = None
        self._file: Path | None = None
        self._identity: tuple[int, int] | None = None
        database = engine.url.database
        if self.is_quick and database is not None and not database.startswith(":memory:"):
            self._file = Path(database.removeprefix("file://"))

    @property
    def is_quick(self) -> bool:
        """Whether reading it takes microseconds, since it asks nothing of another host."""
        return self._engine.dialect.name == "sqlite"

    def read(self) -> Hashable:
        """Return the value of this moment.

        Raises:
            SQLAlchemyError: The ledger does not answer.
            OSError: Its file is gone.
            sqlite3.Error: It cannot be read.
        """
        if not self.is_quick:
            with self._engine.connect() as connection:
                return str(connection.execute(_POSTGRESQL).scalar_one())
        with self._lock:
            identity = self._identity_now()
            if self._connection is None or identity != self._identity:
                self._close()
                self._connection, self._identity = self._engine.raw_connection(), identity
            return identity, self._data_version(self._connection.dbapi_connection)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._close()

    @staticmethod
    def _data_version(connection: DBAPIConnection | None) -> int:
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
