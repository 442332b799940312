"""What the plain computations share: events in a clock's order, intervals, and statistics that round once."""

from __future__ import annotations

import math
import statistics
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import polars as pl
from tests.oracle.contract import CLOCK_COLUMN, INTERVAL_SECONDS
from tests.oracle.others.contract import OTHER_FIELDS, other_bar_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Value: TypeAlias = float | int | None
LOOK_BACK_US: Final = 86_400_000_000
"""As-of joins look back so far."""

Row = TypeVar("Row", bound=tuple[Any, ...])


def in_order(ticks: pl.DataFrame, clock: str, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of the clock's time in microseconds and `columns`, in the clock's order; ties keep the file's."""
    rows = ticks.select(pl.col(CLOCK_COLUMN[clock]).to_physical().alias("clock_us"), *columns).rows()
    rows.sort(key=itemgetter(0))
    return rows


def by_interval(rows: Iterable[Row], interval: str) -> Iterator[tuple[int, list[Row]]]:
    """Yield the start in microseconds and the rows of each interval that has any; a row begins with its time."""
    length = length_us(interval)
    for number, members in groupby(rows, key=lambda row: row[0] // length):
        yield number * length, list(members)


def length_us(interval: str) -> int:
    return INTERVAL_SECONDS[interval] * 1_000_000


def to_frames(bars: list[tuple[int, dict[str, Value]]], *datasets: str) -> dict[str, pl.DataFrame]:
    """Split bars of (start in microseconds, fields) into the frames of their datasets."""
    return {
        dataset: pl.DataFrame(
            {
                "time": [start for start, _ in bars],
                **{name: [fields[name] for _, fields in bars] for name in OTHER_FIELDS[dataset]},
            },
            schema=other_bar_schema(dataset),
        )
        for dataset in datasets
    }


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    return None if numerator is None or denominator is None or denominator == 0 else numerator / denominator


def known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float | None:
    products = (value * weight for value, weight in zip(values, weights, strict=True))
    return ratio(math.fsum(products), math.fsum(weights))


def sample_std(values: Sequence[float]) -> float | None:
    """Sample standard deviation; the standard library's squares are exact and its root rounds once."""
    return statistics.stdev(values) if len(values) > 1 else None


def percentile(values: Sequence[float], percent: int) -> float:
    """Linearly interpolated percentile of at least one value."""
    ordered = sorted(values)
    below, hundredths = divmod((len(ordered) - 1) * percent, 100)
    if hundredths == 0:
        return ordered[below]
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (hundredths / 100)
