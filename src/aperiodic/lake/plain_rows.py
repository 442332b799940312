"""Rows of the ledger as the driver gives them: plans read hundreds of thousands, and rows with names take twice as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

__all__ = ["PlainRow", "plain_rows"]

PlainRow: TypeAlias = tuple[Any, ...]
"""The values of a row in the order of the query; only types that every driver has: texts and whole numbers."""


def plain_rows(result: CursorResult[*tuple[Any, ...]]) -> list[PlainRow]:
    """Return all rows of a query that was just made."""
    cursor = result.cursor
    if cursor is None:
        raise ValueError("The query returns no rows, or they were taken.")
    rows = cursor.fetchall()
    result.close()
    return list(rows)
