"""Comparison of a frame of bars with the oracle's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

Tolerance: TypeAlias = float | Mapping[str, float]

DEFAULT_RTOL: Final = {"flow_toxicity_score": 1e-6}
"""Relative tolerances other than 1e-9."""

DEFAULT_ATOL: Final = {"flow_toxicity_score": 1e-9}
"""Absolute tolerances other than 1e-300. The score is a product of two z-scores of order one and passes through zero
wherever a bar sits at its month's mean; there only an absolute difference means anything."""

_RTOL: Final = 1e-9
_ATOL: Final = 1e-300
_SHOWN: Final = 3


def assert_bars_equal(
    actual: pl.DataFrame,
    expected: pl.DataFrame,
    *,
    rtol: Tolerance = DEFAULT_RTOL,
    atol: Tolerance = DEFAULT_ATOL,
) -> None:
    """Require the same columns, types, times, nulls and values, and no NaN or infinity.

    Args:
        actual: Bars under test.
        expected: Bars of an oracle.
        rtol: Allowed |actual - expected| ÷ |expected|; one number for all fields, or numbers for some (the rest
            keep their defaults). Integers are compared exactly.
        atol: Allowed |actual - expected|, whichever of the two is the larger; given as `rtol` is.

    Raises:
        AssertionError: Naming the fields and, for each, the first bars that differ.
    """
    if actual.columns != expected.columns:
        raise AssertionError(f"columns differ:\n  actual   {actual.columns}\n  expected {expected.columns}")
    given, wanted = actual.schema, expected.schema
    types: list[tuple[str, PolarsDataType, PolarsDataType]] = [
        (name, given[name], wanted[name]) for name in given if given[name] != wanted[name]
    ]
    if types:
        raise AssertionError(
            "types differ: " + ", ".join(f"{name} is {got}, expected {want}" for name, got, want in types)
        )
    _assert_times_equal(actual["time"], expected["time"])
    allowed = {
        name: (_tolerance(rtol, name, DEFAULT_RTOL, _RTOL), _tolerance(atol, name, DEFAULT_ATOL, _ATOL))
        for name in actual.columns
    }
    failures = [
        failure
        for name in _doubtful(actual.drop("time"), expected.drop("time"), allowed)
        for failure in _failures(
            pl.DataFrame({"time": actual["time"], "actual": actual[name], "expected": expected[name]}),
            name,
            *allowed[name],
        )
    ]
    if failures:
        raise AssertionError("bars differ:\n  " + "\n  ".join(failures))


def _assert_times_equal(actual: pl.Series, expected: pl.Series) -> None:
    if actual.equals(expected):
        return
    missing = expected.filter(~expected.is_in(actual.implode())).head(_SHOWN).to_list()
    surplus = actual.filter(~actual.is_in(expected.implode())).head(_SHOWN).to_list()
    raise AssertionError(
        f"times differ: {len(actual)} bars, expected {len(expected)}; "
        f"missing {[str(time) for time in missing]}, surplus {[str(time) for time in surplus]}"
        + ("" if missing or surplus else "; the same times in another order or repeated")
    )


def _doubtful(actual: pl.DataFrame, expected: pl.DataFrame, allowed: Mapping[str, tuple[float, float]]) -> list[str]:
    """Name the fields that may differ, all fields looked at at once; `_failures` says whether and where they do."""
    floats = [name for name, kind in actual.schema.items() if kind.is_float()]
    doubtful = {name for name in actual.columns if name not in floats and not actual[name].equals(expected[name])}
    if floats and actual.height:
        found, wanted = (frame.select(floats) for frame in (actual, expected))
        got, want = found.to_numpy(), wanted.to_numpy()  # null is NaN here
        rtol, atol = np.array([allowed[name] for name in floats]).T
        with np.errstate(all="ignore"):
            near = np.abs(got - want) <= np.maximum(rtol * np.abs(want), atol)
        near &= np.isfinite(got) & np.isfinite(want)
        nulls = np.isnan(got) & np.isnan(want)
        for number, name in enumerate(floats):
            missing = found[name].null_count(), wanted[name].null_count()
            fine = near[:, number] | nulls[:, number]
            if not fine.all() or missing != (nulls[:, number].sum(),) * 2:
                doubtful.add(name)
    return [name for name in actual.columns if name in doubtful]


def _failures(pair: pl.DataFrame, name: str, rtol: float, atol: float) -> list[str]:
    """Describe the bars in which one field differs, at most a few and a count of the rest."""
    got, want = pl.col("actual"), pl.col("expected")
    wrong = got.is_null() != want.is_null()
    if pair.schema["actual"].is_float():
        distance = (got - want).abs()
        # A NaN counts as larger than every number, so finiteness is asked for by itself.
        wrong |= ~got.is_finite() | ~want.is_finite() | (distance > pl.max_horizontal(rtol * want.abs(), pl.lit(atol)))
    else:
        wrong |= got != want
    bad = pair.filter(wrong.fill_null(value=False))
    lines = [
        f"{name} at {time}: {_shown(got)}, expected {_shown(want)}{_apart(got, want, rtol, atol)}"
        for time, got, want in bad.head(_SHOWN).iter_rows()
    ]
    return lines if len(bad) <= _SHOWN else [*lines, f"{name}: and {len(bad) - _SHOWN} more of {len(pair)} bars"]


def _shown(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _apart(actual: float | None, expected: float | None, rtol: float, atol: float) -> str:
    if actual is None or expected is None:
        return ""
    distance = abs(actual - expected)
    relative = distance / abs(expected) if expected else float("inf")
    return f" (apart {distance:.3g}, relative {relative:.3g}; allowed {rtol:g} relative or {atol:g})"


def _tolerance(given: Tolerance, name: str, defaults: Mapping[str, float], otherwise: float) -> float:
    if isinstance(given, Mapping):
        return given.get(name, defaults.get(name, otherwise))
    return given
