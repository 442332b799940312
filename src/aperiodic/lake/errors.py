"""Errors of the store and the ledger."""

from __future__ import annotations

from aperiodic.market import AperiodicDataError

__all__ = ["LakeError"]


class LakeError(AperiodicDataError):
    """The store or the ledger refused or failed; what was there before is still there."""
