"""Which times a filter of a lazy frame can let through, as far as it says so plainly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from aperiodic.catalog import TIME_COLUMN

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EVERY_TIME", "time_bounds"]

EVERY_TIME: Final = (-(1 << 62), 1 << 62)
"""The first and the last time, µs, of a filter that does not say."""

_PER_US: Final = {"Nanoseconds": (1, 1_000), "Microseconds": (1, 1), "Milliseconds": (1_000, 1)}
_MIRRORED: Final = {"Lt": "Gt", "LtEq": "GtEq", "Gt": "Lt", "GtEq": "LtEq", "Eq": "Eq"}

Bounds = tuple[int, int]


def time_bounds(predicate: pl.Expr | None) -> Bounds:
    """Return times, µs, outside of which a filter is true for no row; all times where it does not say so plainly.

    Args:
        predicate: What a row must fulfil; it is applied all the same.
    """
    if predicate is None:
        return EVERY_TIME
    try:
        return _bounds(json.loads(predicate.meta.serialize(format="json")))
    except Exception:  # noqa: BLE001 - a form of Polars that this version does not know
        return EVERY_TIME


def _bounds(node: Any) -> Bounds:  # noqa: ANN401 - a node of any kind
    if "BinaryExpr" in node:
        left, operator, right = (node["BinaryExpr"][name] for name in ("left", "op", "right"))
        if operator == "And":
            one, other = _bounds(left), _bounds(right)
            return max(one[0], other[0]), min(one[1], other[1])
        if operator == "Or":
            one, other = _bounds(left), _bounds(right)
            return min(one[0], other[0]), max(one[1], other[1])
        if _is_time(left) and (at := _literal(right)) is not None:
            return _compared(operator, at)
        if _is_time(right) and (at := _literal(left)) is not None and operator in _MIRRORED:
            return _compared(_MIRRORED[operator], at)
    function = node.get("Function", {}) if isinstance(node, dict) else {}
    if "IsBetween" in function.get("function", {}).get("Boolean", {}) and _is_time(function["input"][0]):
        first, last = (_literal(item) for item in function["input"][1:])
        return EVERY_TIME[0] if first is None else first, EVERY_TIME[1] if last is None else last
    return EVERY_TIME


def _compared(operator: str, at: int) -> Bounds:
    """Return the times for which a comparison may hold; those at its edge are among them."""
    if operator in {"Gt", "GtEq"}:
        return at, EVERY_TIME[1]
    if operator in {"Lt", "LtEq"}:
        return EVERY_TIME[0], at
    return (at, at) if operator == "Eq" else EVERY_TIME


def _is_time(node: Any) -> bool:  # noqa: ANN401 - as above
    return bool(node == {"Column": TIME_COLUMN})


def _literal(node: Any) -> int | None:  # noqa: ANN401 - as above
    value = node.get("Literal", {}).get("Scalar", {}).get("Datetime")
    if value is None or value[2] is not None:
        return None
    times, per = _PER_US[value[1]]
    return int(value[0]) * times // per
