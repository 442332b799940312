"""What ends a capture, or a try to connect."""

from __future__ import annotations

from aperiodic.market import AperiodicDataError

__all__ = ["CaptureError", "DialError", "DiskFullError"]


class CaptureError(AperiodicDataError):
    """Capturing cannot begin or go on; what was recorded is kept."""


class DiskFullError(CaptureError):
    """There is no room for recordings."""


class DialError(Exception):
    """A connection could not be opened.

    Attributes:
        reason: Why, in words.
        status: HTTP status of the refusal; 0 where there was no answer.
        retry_after_s: The venue wants no other attempt before this time is over, seconds; None where it does not say.
    """

    def __init__(self, reason: str, status: int = 0, retry_after_s: float | None = None) -> None:
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(reason)
