"""Comparison of the bars of several datasets with the oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.compare import assert_bars_equal
from tests.oracle.others.contract import OTHER_ATOL, OTHER_RTOL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl


def assert_other_bars_equal(actual: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> None:
    """Require the same datasets, each with the same columns, types, times, nulls and values within its tolerances.

    Raises:
        AssertionError: Naming the datasets, or of the first that differs the fields and bars.
    """
    if actual.keys() != expected.keys():
        raise AssertionError(f"datasets differ: {sorted(actual)}, expected {sorted(expected)}")
    for dataset, bars in expected.items():
        try:
            assert_bars_equal(actual[dataset], bars, rtol=OTHER_RTOL, atol=OTHER_ATOL)
        except AssertionError as error:
            raise AssertionError(f"{dataset}: {error}") from None
