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
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

_MEANT: Final = {
    "timestamp": {"local": "true", "received": "true", "arrival": "true", "event": "exchange"},
    "fill": {"ffill": "forward", "pad": "forward", "nan": "null", "no": "none"},
    "on_incomplete": {"error": "raise", "fail": "raise", "warning": "warn", "skip": "ignore"},
    "output": {"pl": "polars", "pd": "pandas", "arrow": "polars"},
}
"""What a word is called here that other libraries use."""

_LENGTH: Final = re.compile(r"([0-9]{1,9}) ?(s|sec|m|min|t|h|d|w)[a-z]*", re.IGNORECASE)
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "t": 60, "h": 3_600, "d": 86_400, "w": 604_800}


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
    guess = _meant(kind, value, valid) or nearest(value, valid)
    listed = f"Valid values: {', '.join(valid)}." if len(valid) <= _MOST_LISTED else f"There are {len(valid)} names."
    hint = f"Did you mean {guess!r}? {listed}" if guess else listed
    return InvalidInputError(f"Unknown {kind} {value[:100]!r}.", code=f"unknown_{kind.replace(' ', '_')}", hint=hint)


def _meant(kind: str, value: str, valid: Sequence[str]) -> str | None:
    """Return what a word from elsewhere is called here, or the length that is nearest to another; None for other words."""
    word = _MEANT.get(kind, {}).get(value.casefold())
    if word in valid:
        return word
    wanted = _length(value) if kind == "interval" else None
    if wanted is None:
        return None
    lengths = {name: length for name in valid if (length := _length(name)) is not None}
    return min(lengths, key=lambda name: max(lengths[name], wanted) / min(lengths[name], wanted), default=None)


def _length(text: str) -> int | None:
    """Return how many seconds a text like `90s` or `1min` means; None where it means none."""
    found = _LENGTH.fullmatch(text.strip())
    return (int(found[1]) * _SECONDS[found[2].lower()] or None) if found else None
