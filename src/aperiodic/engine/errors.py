"""Errors of importing."""

from __future__ import annotations

from aperiodic.market import AperiodicDataError

__all__ = ["ImportSourceError"]


class ImportSourceError(AperiodicDataError):
    """An input file cannot be imported; nothing of it was taken over."""
