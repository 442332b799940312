"""What a SQLite ledger is asked, as its driver gets it, with values in their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine


def trace_connection(connection: Connection, told: Callable[[str], object]) -> None:
    """Tell every statement of an open connection from here on."""
    driver: Any = connection.connection.dbapi_connection
    driver.set_trace_callback(told)


def trace_statements(engine: Engine, told: Callable[[str], object] | None = None) -> list[str]:
    """Return a list that grows with every statement of connections that are taken from here on, or tell each."""
    asked: list[str] = []

    def trace(connection: Any, *_: object) -> None:
        connection.set_trace_callback(told or asked.append)

    event.listen(engine, "checkout", trace)
    return asked
