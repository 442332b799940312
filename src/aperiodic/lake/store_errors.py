"""Errors of a store about one object."""

from __future__ import annotations

from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.layout import can_be_repaired, is_computed

__all__ = ["damaged", "differs", "missing", "unavailable", "write_failed"]


def write_failed(path: str, why: str) -> LakeError:
    """Return the error for an object that could not be written."""
    return LakeError(
        f"Writing {path} failed: {why}.",
        code="store_write_failed",
        hint="Nothing was changed. Check free space and permissions, then run the command again.",
    )


def missing(path: str) -> LakeError:
    """Return the error for an object that the ledger knows and the store does not."""
    return LakeError(
        f"The object {path} is in the ledger but not in the store.",
        code="object_missing",
        hint=_way_back(path),
        path=path,
    )


def damaged(path: str, why: str) -> LakeError:
    """Return the error for an object that is not what the ledger says of it."""
    return LakeError(
        f"The object {path} is damaged: {why}.",
        code="object_damaged",
        hint=_way_back(path),
        path=path,
    )


def differs(path: str, what: str) -> LakeError:
    """Return the error for an object in whose place the store has another one."""
    return LakeError(
        f"The store holds another {what} at {path}.",
        code="object_differs",
        hint="Nothing was changed. See what it is and where it came from, and move one of the two away.",
        path=path,
    )


def _way_back(path: str) -> str:
    if is_computed(path):
        return "Run: aperiodic ledger verify --repair"
    if can_be_repaired(path):
        return (
            "Run: aperiodic ledger verify --repair (it reads the recordings on this disk and in the store again), or give "
            "them: aperiodic import recording --exchange … PATHS --again"
        )
    return "Put it back from a copy of the store, or import its source again: aperiodic import … --again"


def unavailable(path: str, error: Exception) -> LakeError:
    """Return the error for a store that refuses or cannot be reached."""
    return LakeError(
        f"The object store did not answer for {path}: {reason_of(error)}.",
        code="store_unavailable",
        hint="Check that the store can be reached and, for a bucket, the credentials; then try again.",
    )
