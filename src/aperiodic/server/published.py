"""What the ledger says of published bars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from aperiodic.lake import ObjectKind
from aperiodic.lake.schema import objects
from aperiodic.market import InvalidInputError
from aperiodic.market.errors import nearest

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aperiodic.market import Exchange, Symbol

__all__ = ["PublishedFile", "find_file", "published_symbols", "symbol_problem"]

_SHOWN: Final = 5
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A published month as a download.

    Attributes:
        path: Where it lies in the store.
        size: Bytes.
        sha256: Hex digest of the content.
        name: File name to save it under: plain ASCII, says what the month holds.
    """

    path: str
    size: int
    sha256: str
    name: str


def published_symbols(connection: Connection, exchange: Exchange) -> list[str]:
    """Return the symbols of an exchange that have bars, sorted.

    Leaps through the index from one symbol to the next, since a symbol has thousands of objects.
    """
    of_exchange = select(func.min(objects.c.symbol)).where(
        objects.c.is_current, objects.c.kind == ObjectKind.BARS, objects.c.exchange == exchange
    )
    leap = select(of_exchange.scalar_subquery().label("symbol")).cte("leap", recursive=True)
    following = of_exchange.where(objects.c.symbol > leap.c.symbol).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.symbol.is_not(None)))
    found = connection.execute(select(leap.c.symbol).where(leap.c.symbol.is_not(None))).scalars()
    return sorted(found)


def symbol_problem(connection: Connection, exchange: Exchange, symbol: Symbol) -> InvalidInputError | None:
    """Return the error for a symbol that has no bars at an exchange, naming the nearest that has; else None."""
    query = select(objects.c.id).where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.BARS,
        objects.c.exchange == exchange,
        objects.c.symbol == str(symbol),
    )
    if connection.execute(query.limit(1)).first() is not None:
        return None
    symbols = published_symbols(connection, exchange)
    guess = nearest(str(symbol), symbols)
    listed = ", ".join(symbols[:_SHOWN]) + (", …" if len(symbols) > _SHOWN else "")
    if guess is not None:
        hint = f"Did you mean {guess!r}? All are at /api/v1/metadata/symbols?exchange={exchange}."
    elif symbols:
        hint = f"There is data of {listed}; all are at /api/v1/metadata/symbols?exchange={exchange}."
    else:
        hint = f"Nothing of {exchange} has been published yet."
    return InvalidInputError(f"There is no data of {symbol} on {exchange}.", code="unknown_symbol", hint=hint)


def find_file(connection: Connection, path: str) -> PublishedFile | None:
    """Return the published month at a path of the store, current or superseded, or None."""
    query = select(objects).where(objects.c.path == path, objects.c.kind == ObjectKind.BARS)
    row = connection.execute(query.limit(1)).mappings().first()
    if row is None:
        return None
    parts = (row[name] for name in ("dataset", "exchange", "symbol", "interval", "clock", "period"))
    name = _UNSAFE.sub("_", "-".join(parts))
    return PublishedFile(path=path, size=row["size"], sha256=row["sha256"], name=f"{name}.parquet")
