"""Errors of the store and the ledger."""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from aperiodic.market import AperiodicDataError

__all__ = ["AWAY", "UNREADABLE", "UNUSABLE", "LakeError", "reason_of"]

_OF_THE_SYSTEM: Final = re.compile(r"([^:(){}\"]+) \(os error \d+\)")

AWAY: Final = frozenset({"store_unavailable", "store_gone"})
"""Codes of errors about a store that is not there, and may come back."""

UNUSABLE: Final = frozenset({"object_missing", "object_damaged"})
"""Codes of errors about one object that the store does not hold as it was written."""

UNREADABLE: Final = AWAY | UNUSABLE
"""Codes of errors after which what cannot be read now may be read later."""


class LakeError(AperiodicDataError):
    """The store or the ledger refused or failed; what was there before is still there.

    Attributes:
        path: The object that it is about, or None.
    """

    def __init__(
        self, message: str, *, code: str | None = None, hint: str | None = None, path: str | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.path = path


def reason_of(error: Exception) -> str:
    """Return why something failed: the system's or SQLite's own words, else what kind of error it is.

    Other texts are left out, since they may hold addresses and credentials.
    """
    inner = getattr(error, "orig", None) or error
    if isinstance(inner, sqlite3.Error):
        return str(inner)
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    if found := _OF_THE_SYSTEM.search(str(inner)):
        return found[1].strip()
    return type(inner).__name__
