"""Errors of the store and the ledger."""

from __future__ import annotations

from typing import Final

from aperiodic.market import AperiodicDataError

__all__ = ["UNUSABLE", "LakeError"]

UNUSABLE: Final = frozenset({"object_missing", "object_damaged"})
"""Codes of errors about one object that the store does not hold as it was written."""


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
