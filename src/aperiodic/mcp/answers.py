"""Answers to agents: JSON text that is never longer than it may be, and says so when something was left out."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from aperiodic.client.errors import APIError
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["MOST_BYTES", "MOST_ROWS", "error_text", "table_text"]

MOST_ROWS: Final = 200
MOST_BYTES: Final = 65_536
"""Of a whole answer on the wire, with the text as a JSON string in it."""

_ENVELOPE: Final = 1_024
_MOST_NOTES: Final = 10
_MOST_NOTE: Final = 1_000
_MOST_TEXT: Final = 4_000
_MOST_DETAILS: Final = 10


def table_text(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    cut: Callable[[range], Mapping[str, object]],
    most: int = MOST_ROWS,
    from_end: bool = False,
    facts: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Return rows as JSON: `{…facts, "notes", "cut", "columns", "rows"}`; `cut` is null when all rows are there.

    Args:
        columns: Names of the cells.
        rows: Rows, each as long as the columns.
        cut: Says how to get the rest; called with the places of the rows that are shown when those are not all.
        most: How many rows to show at most.
        from_end: Leave out the first rows instead of the last ones.
        facts: What else the answer tells.
        notes: Warnings.

    Raises:
        AperiodicDataError: `row_too_large` when not even one row has room.
    """
    head: dict[str, object] = {**(facts or {})}
    if notes:
        head["notes"] = [clipped(note, _MOST_NOTE) for note in notes[:_MOST_NOTES]]
    shown, encoded = _fitting(columns, rows, min(most, MOST_ROWS), _size(_dump(head)), from_end=from_end)
    head["cut"] = None if len(shown) == len(rows) else {"rows_shown": len(shown), **cut(shown)}
    head["columns"] = list(columns)
    return f'{_dump(head)[:-1]},"rows":[{",".join(encoded)}]}}'


def error_text(error: AperiodicDataError) -> str:
    """Return an error as JSON: `{"error": {"code", "message", "hint", "details", "status", "request_id"}}`."""
    told: dict[str, object] = {
        "code": error.code or "failed",
        "message": clipped(error.message),
        "hint": clipped(error.hint or "Change the arguments; describe and coverage tell what there is."),
    }
    if isinstance(error, APIError):
        told["details"] = [clipped(detail, _MOST_NOTE) for detail in error.details[:_MOST_DETAILS]]
        told["status"] = error.status_code
        told["request_id"] = error.request_id
    return _dump({"error": told})


def clipped(text: str, most: int = _MOST_TEXT) -> str:
    """Return a text, or its beginning and an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[object]], most: int, used: int, *, from_end: bool
) -> tuple[range, list[str]]:
    """Return the places of the rows that have room, and these rows as JSON."""
    left = MOST_BYTES - _ENVELOPE - used - _size(_dump(list(columns)))
    places = range(len(rows))
    encoded: list[str] = []
    for place in list(reversed(places) if from_end else places)[:most]:
        row = _dump([_plain(value) for value in rows[place]])
        left -= _size(row) + 1
        if left < 0:
            break
        encoded.append(row)
    if rows and not encoded:
        raise AperiodicDataError(
            f"One row is longer than an answer may be ({MOST_BYTES:,} bytes).",
            code="row_too_large",
            hint="Ask for fewer columns.",
        )
    if from_end:
        return places[len(rows) - len(encoded) :], encoded[::-1]
    return places[: len(encoded)], encoded


def _size(text: str) -> int:
    """Return how many bytes a text takes as a JSON string."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> object:  # noqa: ANN401 (whatever a cell holds)
    """Return a value as JSON has it: times in ISO 8601 with a Z, numbers that are none by their names."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date):  # a datetime is one too
        return f"{value.isoformat()}Z" if isinstance(value, datetime) and value.tzinfo is None else value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {clipped(str(name)): _plain(item) for name, item in value.items()}
    return value if value is None or isinstance(value, (bool, int)) else clipped(str(value))
