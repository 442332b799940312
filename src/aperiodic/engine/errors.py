"""Errors of importing."""

from __future__ import annotations

from aperiodic.market import AperiodicDataError

__all__ = ["ArchiveError", "ImportSourceError"]


class ImportSourceError(AperiodicDataError):
    """An input file cannot be imported; nothing of it was taken over."""


class ArchiveError(AperiodicDataError):
    """A public archive could not be reached, refused, or sent something else than it says; nothing was taken over."""
