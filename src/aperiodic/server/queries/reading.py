"""Reading the ledger for a request, and keeping what was read until the ledger changes."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sqlalchemy.exc import OperationalError, SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType

    from sqlalchemy import Connection, Engine

    from aperiodic.lake.generation import Generation

__all__ = ["Kept", "Reading"]

_MOST_BYTES: Final = 64 << 20

Value = TypeVar("Value")


class Kept:
    """What was read of one generation of the ledger, in bounded memory; the least recently asked for goes first."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Keep nothing yet.

        Args:
            most_bytes: How much to keep, by the sizes that are given.
        """
        self._most_bytes = most_bytes
        self._generation: Hashable = None
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, generation: Hashable, key: Hashable) -> Any:  # noqa: ANN401 - what was put
        """Return what is kept under a key, None where there is nothing of this generation."""
        with self._lock:
            if generation != self._generation or key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, generation: Hashable, key: Hashable, value: object, size: int) -> None:
        """Keep a value, and let go of all other generations.

        Args:
            generation: Read before the value was.
            key: Names it.
            value: Anything but None, never to be changed.
            size: About how many bytes it takes.
        """
        with self._lock:
            if generation != self._generation:
                self._generation, self._bytes = generation, 0
                self._values.clear()
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = (value, size)
            self._bytes += size - before
            while self._bytes > self._most_bytes:
                _, (_, oldest) = self._values.popitem(last=False)
                self._bytes -= oldest


class Reading:
    """The ledger as one request reads it; it connects when it has to.

    A value that is kept is as new as one that is read now: the generation is asked for first, and says whether
    anything was written since the value was read.
    """

    def __init__(self, engine: Engine, generation: Generation, kept: Kept) -> None:
        """Ask for the generation.

        Args:
            engine: The ledger.
            generation: Tells whether it has changed.
            kept: What was read before.

        Raises:
            SQLAlchemyError: The ledger does not answer.
        """
        self._engine = engine
        self._kept = kept
        self._connection: Connection | None = None
        self._generation: Hashable = None
        try:
            self._generation = generation.read() if generation.is_quick else generation.of(self.connection)
        except (sqlite3.Error, OSError) as error:
            raise OperationalError(None, None, error) from error
        except SQLAlchemyError:
            self._close()
            raise

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the connection back."""
        self._close()

    @property
    def connection(self) -> Connection:
        """An open connection, the same for all of the request.

        Raises:
            SQLAlchemyError: The ledger does not answer.
        """
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def kept(self, key: Hashable) -> Any:  # noqa: ANN401 - what was kept
        """Return what is kept under a key and still true, else None."""
        return None if self._generation is None else self._kept.get(self._generation, key)

    def once(self, key: Hashable, read: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return a value that depends on nothing but the ledger, from what is kept if it is there.

        Args:
            key: Names it.
            read: Reads it; what it raises is passed on, and None is not kept.
            size: About how many bytes it takes.
        """
        value: Value = self.kept(key)
        if value is None:
            value = read()
            if value is not None and self._generation is not None:
                self._kept.put(self._generation, key, value, size(value))
        return value

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
