"""Quantiles of bars against sorting each bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lakes import SOAK

from aperiodic.engine.partials.quantiles import bar_quantiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PERCENTS: Final = [50, 90]

SHAPES: Final[dict[str, Callable[[np.random.Generator, int], Floats]]] = {
    "one value": lambda _, n: np.full(n, 0.1),
    "two neighbours": lambda rng, n: np.where(rng.random(n) < 0.5, 94_000.0, np.nextafter(94_000.0, 0)),
    "few values": lambda rng, n: rng.integers(1, 5, n) / 1_000,
    "walk of ticks": lambda rng, n: (940_000 + np.cumsum(rng.integers(-1, 2, n))) / 10,
    "heavy tail": lambda rng, n: np.ceil(np.exp(2 + 1.7 * rng.standard_normal(n))) / 1_000,
    "all magnitudes": lambda rng, n: 10.0 ** rng.uniform(-300, 300, n),
    "one far above": lambda rng, n: np.where(np.arange(n) == n // 2, 1e9, 1 + rng.random(n) / 1e9),
    "both signs": lambda rng, n: np.round(rng.standard_normal(n), 2),
    "descending": lambda _, n: np.arange(n, 0, -1) / 100,
}


def by_sorting(values: Floats, ends: NDArray[np.int64]) -> Floats:
    rows = []
    for part in np.split(values, ends[:-1]):
        ordered = np.sort(part)
        ranks = [divmod((part.size - 1) * percent, 100) for percent in PERCENTS]
        neighbours = [(ordered[below], ordered[min(below + 1, part.size - 1)], rest) for below, rest in ranks]
        rows.append([low + (high - low) * (rest / 100) for low, high, rest in neighbours])
    return np.array(rows)


def check(values: Floats, ends: list[NDArray[np.int64]]) -> None:
    found = bar_quantiles(values, ends, PERCENTS)
    for bars, edges in zip(found, ends, strict=True):
        np.testing.assert_array_equal(bars, by_sorting(values, edges))


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25 * SOAK)
@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40), fan=st.integers(2, 7))
def test_every_level_equals_sorting(shape: str, seed: int, sizes: list[int], fan: int) -> None:
    ends = [np.cumsum(sizes)]
    while ends[-1].size > 1:
        ends.append(np.append(ends[-1][fan - 1 : -1 : fan], ends[-1][-1]))
    check(SHAPES[shape](np.random.default_rng(seed), sum(sizes)), ends)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_bar_equals_sorting(shape: str) -> None:
    n = 300_000
    values = SHAPES[shape](np.random.default_rng(3), n)
    check(values, [np.arange(100, n + 1, 100), np.arange(10_000, n + 1, 10_000), np.array([n])])


def test_a_day_without_values_has_no_quantiles() -> None:
    nothing = np.array([], np.int64)
    assert [bars.shape for bars in bar_quantiles(np.array([]), [nothing] * 3, PERCENTS)] == [(0, 2)] * 3
