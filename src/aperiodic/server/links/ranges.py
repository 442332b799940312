"""Which bytes a `Range` header asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["UnsatisfiableRangeError", "read_range"]

_RANGE: Final = re.compile(
    r"bytes=[ \t]*(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18}))[ \t]*"
)


class UnsatisfiableRangeError(ValueError):
    """The range lies outside the file."""


def read_range(header: str | None, size: int) -> range | None:
    """Return the bytes that the header asks for, or None for the whole file.

    A header that is malformed or names several ranges asks for the whole file, as the standard allows.

    Raises:
        UnsatisfiableRangeError: The range holds no byte of the file.
    """
    match = None if header is None else _RANGE.fullmatch(header)
    if match is None:
        return None
    if match["suffix"]:
        wanted = range(max(size - int(match["suffix"]), 0), size)
    else:
        first = int(match["first"])
        last = int(match["last"]) if match["last"] else size - 1
        if match["last"] and last < first:
            return None
        wanted = range(first, min(last + 1, size))
    if not wanted:
        raise UnsatisfiableRangeError
    return wanted
