"""Queries that requests ask again and again: compiled once, then handed to the driver of the database itself."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql.selectable import SelectBase

__all__ = ["PlainRow", "Prepared"]

PlainRow: TypeAlias = tuple[Any, ...]
"""The values of a row in the order of the query, as the driver gives them."""

_MOST_FORMS: Final = 256


class Prepared:
    """A query of texts and numbers, which drivers take and give as they are.

    SQLAlchemy spends 60 to 150 µs on a query that SQLite answers in 10, most of it on types and on names of columns.
    """

    def __init__(self, statement: SelectBase) -> None:
        """Take the query.

        Args:
            statement: With a name for each parameter; those that hold several values are expanding.
        """
        self.statement = statement

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> list[PlainRow]:
        """Return what the query finds in the transaction of the connection, which begins if there is none.

        Args:
            connection: Open connection to the ledger.
            parameters: Value of each parameter; several as a list.

        Raises:
            DBAPIError: The database does not answer.
        """
        if not connection.in_transaction():
            connection.begin()
        lengths = tuple((name, len(value)) for name, value in parameters.items() if isinstance(value, list))
        form = _form(self, connection.dialect, lengths)
        cursor = connection.connection.cursor()
        failure = connection.dialect.loaded_dbapi.Error
        try:
            cursor.execute(form.text, form.filled(parameters))
            return list(cursor.fetchall())
        except failure as error:
            raise DBAPIError.instance(form.text, None, error, failure, dialect=connection.dialect) from error
        finally:
            cursor.close()


class _Place(NamedTuple):
    """Where a value comes from: a parameter, or its item of that number."""

    name: str
    number: int | None


class _Form(NamedTuple):
    """A query for one kind of database, and one number of values of each parameter that holds several.

    Attributes:
        text: As the driver takes it.
        names: Names of its values, in their order.
        values: Where each comes from, or what it always is.
        positional: Whether the driver takes values by their order.
    """

    text: str
    names: tuple[str, ...]
    values: tuple[Any, ...]
    positional: bool

    def filled(self, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as the driver wants them
        values = [
            (parameters[value.name] if value.number is None else parameters[value.name][value.number])
            if type(value) is _Place
            else value
            for value in self.values
        ]
        return values if self.positional else dict(zip(self.names, values, strict=True))


@lru_cache(_MOST_FORMS)
def _form(query: Prepared, dialect: Dialect, lengths: tuple[tuple[str, int], ...]) -> _Form:
    compiled = query.statement.compile(dialect=dialect)
    several = {name: [_Place(name, number) for number in range(length)] for name, length in lengths}
    asked = (name for name, parameter in compiled.binds.items() if parameter.required)
    expanded = compiled.construct_expanded_state({name: several.get(name, _Place(name, None)) for name in asked})
    names = tuple(expanded.positiontup or expanded.parameters)
    values = tuple(expanded.parameters[name] for name in names)
    return _Form(expanded.statement, names, values, expanded.positiontup is not None)
