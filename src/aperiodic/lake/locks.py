"""The writer lock: one import or build at a time, on one host or on several that share a ledger."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

__all__ = ["writer_lock"]

_FILE: Final = "writer.lock"
_ADVISORY: Final = 0x6170_6572_696F_0001
"""Number of the advisory lock; PostgreSQL keeps the locks of different databases apart."""


@contextmanager
def writer_lock(engine: Engine, home: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of an installation: a file in `home`, or with PostgreSQL an advisory lock that all hosts see.

    Whoever keeps the lock lets go of it when this process ends, however it ends.

    Yields:
        Makes sure that the lock is still held; raises LakeError `lock_lost` when it is not.

    Raises:
        LakeError: `busy` when another writer holds it.
    """
    hold = _hold_advisory(engine) if engine.dialect.name == "postgresql" else _hold_file(home / _FILE)
    with hold as require:
        yield require


@contextmanager
def _hold_file(path: Path) -> Iterator[Callable[[], None]]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy() from None
        yield lambda: None
    finally:
        os.close(descriptor)


@contextmanager
def _hold_advisory(engine: Engine) -> Iterator[Callable[[], None]]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # The lock lasts as long as its connection, so the pool must not keep that for others.
        connection.detach()
        if not connection.execute(select(func.pg_try_advisory_lock(_ADVISORY))).scalar_one():
            raise _busy()

        def require() -> None:
            try:
                connection.execute(select(1))
            except SQLAlchemyError as error:
                raise LakeError(
                    "The connection that held the writer lock broke, so another import or build may have begun.",
                    code="lock_lost",
                    hint="Nothing was entered into the ledger. Run the command again.",
                ) from error

        try:
            yield require
        finally:
            # Closing would do, but the server notices that a moment later.
            with suppress(SQLAlchemyError):
                connection.execute(select(func.pg_advisory_unlock(_ADVISORY)))


def _busy() -> LakeError:
    return LakeError(
        "Another import or build is running on this installation.",
        code="busy",
        hint="Wait for it to finish, then run the command again.",
    )
