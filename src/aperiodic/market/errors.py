"""The exception tree of the whole package, drawn in one place.

    AperiodicDataError            base of everything raised on purpose
    ├── InvalidInputError         a value was wrong before any work began (also a ValueError)
    ├── APIError                  the server answered with an error          (client/errors.py)
    ├── DownloadError             a data file could not be fetched           (client/errors.py)
    ├── StreamSubscriptionError   no channel of a live stream is left         (client/stream_messages.py)
    ├── StreamClosedError         the server closed a live stream             (client/stream_messages.py)
    ├── IncompleteDataError       data is missing and the caller asked not to accept that
    ├── LakeError                 the store or the ledger refused or failed  (lake/errors.py)
    └── ImportSourceError         an input file cannot be imported           (engine/errors.py)

Every error carries a machine `code`, a plain `message` and a `hint` that says what to do next.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AperiodicDataError", "IncompleteDataError", "InvalidInputError", "nearest"]


class AperiodicDataError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        message: What happened, in one plain sentence.
        code: Machine-readable reason in snake_case, or None.
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        self.message = message
        self.code = code
        self.hint = hint
        super().__init__(message if hint is None else f"{message} {hint}")


class InvalidInputError(AperiodicDataError, ValueError):
    """A value given by the caller is not valid; nothing was done."""


class IncompleteDataError(AperiodicDataError):
    """Part of the requested data does not exist and the caller asked for an error instead of a warning."""


_MOST_LISTED = 25


def nearest(value: str, choices: Iterable[str]) -> str | None:
    """Return the choice most like `value` in spelling, or None when nothing comes close."""
    by_folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(value.casefold()[:200], by_folded, n=1, cutoff=0.5)
    return by_folded[found[0]] if found else None


def unknown_value(kind: str, value: str, choices: Iterable[str]) -> InvalidInputError:
    """Build the error for a value outside a closed set, naming the nearest valid one.

    Args:
        kind: What the value is, as a user would say it ("interval").
        value: What was given.
        choices: All valid values, in the order to show them.
    """
    valid = [str(choice) for choice in choices]
    guess = nearest(value, valid)
    listed = f"Valid values: {', '.join(valid)}." if len(valid) <= _MOST_LISTED else f"There are {len(valid)} names."
    hint = f"Did you mean {guess!r}? {listed}" if guess else listed
    return InvalidInputError(f"Unknown {kind} {value[:100]!r}.", code=f"unknown_{kind.replace(' ', '_')}", hint=hint)
