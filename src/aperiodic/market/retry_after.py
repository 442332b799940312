"""The `Retry-After` header of HTTP: how long a server asks to be left alone (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["retry_after_s"]

_DIGITS: Final = 9
"""More digits than these are no time that anybody waits."""


def retry_after_s(value: str) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, as a number or as an HTTP date; None if it is neither."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:_DIGITS])
    try:
        moment: datetime = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
