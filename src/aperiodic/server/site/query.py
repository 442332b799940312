"""What a visitor's address says after the question mark: bounded, and never a reason to fail."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from litestar import Request

__all__ = ["MOST_QUERY_BYTES", "query_pairs", "query_values", "read_day"]

MOST_QUERY_BYTES: Final = 1024
"""How much of a query is read."""


def query_pairs(query_string: bytes, *, keep_blank: bool = False) -> list[tuple[str, str]]:
    """Return the names and values of a query in order; what is beyond `MOST_QUERY_BYTES` is left out.

    Args:
        query_string: As the browser sent it.
        keep_blank: Whether names without a value are returned too.
    """
    text = query_string[:MOST_QUERY_BYTES].decode("latin-1")
    return parse_qsl(text, keep_blank_values=keep_blank, errors="replace")


def query_values(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the query of a request by name; of a name that is repeated, the last value."""
    return dict(query_pairs(request.scope["query_string"]))


def read_day(text: str) -> date:
    """Return the UTC day of a date field.

    Raises:
        ValueError: It is no day, `YYYY-MM-DD`.
    """
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
