"""Small charts as SVG, drawn by the server: readable without JavaScript."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["sparkline"]

_WIDTH: Final = 520
_HEIGHT: Final = 120
_PAD: Final = 6


def sparkline(values: Sequence[float | None], prices: Sequence[float | None], label: str) -> Markup:
    """Draw a metric over the price of the same bars, each on its own scale; a null is a gap in the line.

    Args:
        values: The metric, in order of time.
        prices: Closing prices of the same bars.
        label: What the picture shows, for those who do not see it.
    """
    lines = "".join(
        f'<path class="{name}" d="{path}"/>'
        for name, path in (("price", _path(prices)), ("metric", _path(values)))
        if path
    )
    view = f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="'
    return Markup(view) + label + Markup(f'">{lines}</svg>')  # noqa: S704 - numbers and constants; the label is escaped


def _path(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    across = _WIDTH / max(len(values) - 1, 1)
    points = [
        None if value is None else (i * across, _HEIGHT - _PAD - (value - low) / span * (_HEIGHT - 2 * _PAD))
        for i, value in enumerate(values)
    ]
    runs = [list(run) for known, run in groupby(points, key=lambda point: point is not None) if known]
    return "".join(_line([point for point in run if point is not None]) for run in runs)


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Draw points without a null between; a single point becomes a dash, since a move alone draws nothing."""
    (x, y), *rest = points
    start = f"M{x:.1f} {y:.1f}"
    return start + ("".join(f"L{across:.1f} {up:.1f}" for across, up in rest) or "h1")
