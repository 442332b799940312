"""Tables and lists of facts as plain text and as HTML; what others wrote is escaped."""

from __future__ import annotations

import shutil
import textwrap
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["byte_text", "facts_html", "table_html", "table_text", "text_width"]

_NARROWEST: Final = 60
_WIDEST: Final = 120
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_STEP: Final = 1000
_LEFT: Final = ' style="text-align: left; vertical-align: top"'


def text_width() -> int:
    """Return how many characters a line may have: those of the terminal, within reason."""
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)


def table_text(rows: Sequence[Sequence[str]], width: int) -> str:
    """Return a table whose last column is wrapped.

    Args:
        rows: Cells, as many in each row.
        width: Characters of a line.
    """
    if not rows:
        return ""
    widths = [max(len(row[place]) for row in rows) + 2 for place in range(len(rows[0]) - 1)]
    before = sum(widths)
    lines = []
    for row in rows:
        parts = textwrap.wrap(row[-1], max(width - before, _NARROWEST // 2), break_on_hyphens=False) or [""]
        first = "".join(cell.ljust(size) for cell, size in zip(row, widths, strict=False))
        lines += [f"{first}{parts[0]}".rstrip(), *(f"{'':{before}}{part}" for part in parts[1:])]
    return "\n".join(lines) + "\n"


def facts_html(facts: Sequence[tuple[str, str]]) -> str:
    """Return headings with their texts beside them."""
    rows = "".join(f"<tr><th{_LEFT}>{escape(name)}</th><td{_LEFT}>{escape(text)}</td></tr>" for name, text in facts)
    return f"<table><tbody>{rows}</tbody></table>"


def table_html(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with headings."""
    head = "".join(f"<th{_LEFT}>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td{_LEFT}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def byte_text(size: int) -> str:
    """Return a number of bytes as a person reads it, in powers of 1000."""
    value, unit = float(size), _UNITS[0]
    for following in _UNITS[1:]:
        if value < _STEP:
            break
        value, unit = value / _STEP, following
    return f"{size:,} bytes" if unit == _UNITS[0] else f"{value:,.1f} {unit}"
