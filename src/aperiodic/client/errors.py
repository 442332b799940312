"""What can go wrong between the SDK and the server. The base classes are in `aperiodic.market.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEND_AGAIN: Final = "Send the request again; if it fails again, tell the operator of the server."

__all__ = ["APIError", "DownloadError", "IncompleteDataWarning", "SimulatedDataWarning", "period_name"]


class APIError(AperiodicDataError):
    """The server answered with an error, or with something that is not an answer.

    Attributes:
        status_code: HTTP status.
        message: What the server said, in one sentence.
        details: All problems of the request as the server tells them, often one for each bad parameter; the first
            usually repeats message and hint.
        code: Machine-readable reason (`interval_not_in_plan`), or None. `bad_response` is the SDK's own: the answer
            does not follow the API.
        hint: What to do about it, or None.
        request_id: Names this request in the server's log, or None.
    """

    def __init__(
        self,
        status_code: int,
        message: str,
        details: Sequence[str] = (),
        code: str | None = None,
        hint: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status_code = status_code
        self.details = list(details)
        self.request_id = request_id
        # Exceptions are unpickled by calling the class with `args`; worker processes send them home that way.
        self.args = (status_code, message, self.details, code, hint, request_id)

    def __str__(self) -> str:
        # What the details say already is not said again.
        sentences = [] if any(self.message in detail for detail in self.details) else [self.message]
        sentences += self.details
        if self.hint is not None and not any(self.hint in detail for detail in self.details):
            sentences.append(self.hint)
        source = f"HTTP {self.status_code}"
        if self.request_id is not None:
            source += f", request {self.request_id}"
        return f"{' '.join(sentences)} ({source})"


class DownloadError(AperiodicDataError):
    """A data file could not be fetched, or is not what the server said it was.

    Attributes:
        year: Year of the file.
        month: Month of the file.
        day: Day of the month, or None for a file that holds a whole month.
        original_error: What stopped the download.
        status_code: HTTP status of the file server's answer, or None when the status was not the reason.
    """

    def __init__(
        self,
        year: int,
        month: int,
        day: int | None,
        original_error: Exception,
        status_code: int | None = None,
    ) -> None:
        cause = original_error if isinstance(original_error, AperiodicDataError) else _explained(original_error)
        super().__init__(
            f"The file of {period_name(year, month, day)} could not be downloaded: {cause.message}",
            code=cause.code or "download_failed",
            hint=cause.hint or _SEND_AGAIN,
        )
        self.year = year
        self.month = month
        self.day = day
        self.original_error = original_error
        self.status_code = status_code
        self.args = (year, month, day, original_error, status_code)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class IncompleteDataWarning(UserWarning):
    """Part of the requested data does not exist; the frame holds the rest."""


class SimulatedDataWarning(UserWarning):
    """The requested data was made by a model, in whole or in part; it was never recorded from a venue."""


def period_name(year: int, month: int, day: int | None = None) -> str:
    """Return `2025-05` for a month, `2025-05-07` for a day."""
    return f"{year:04d}-{month:02d}" if day is None else f"{year:04d}-{month:02d}-{day:02d}"


def _explained(error: Exception) -> AperiodicDataError:
    """Say what to do about an error of the system or of the connection."""
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return AperiodicDataError(
            f"{error.strerror or str(error) or type(error).__name__}{where}.",
            code="download_failed",
            hint="Check that output_dir can be written and has room, then send the request again.",
        )
    return AperiodicDataError(
        str(error) or type(error).__name__, code="download_failed", hint=f"Check the connection. {_SEND_AGAIN}"
    )
