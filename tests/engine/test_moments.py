"""Centred moments, folded and merged, against exact ratios of integers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lakes import SOAK

from aperiodic.engine.partials.compensated import SUM, add
from aperiodic.engine.partials.moments import (
    MOMENTS,
    PAIRS,
    fold_moments,
    join_pairs,
    mean_gap,
    merge_moments,
    put_pair,
    put_pairs,
)
from aperiodic.market import DAY_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS: Final = {
    "prices near 94,000": st.integers(9_396_536, 9_403_464).map(lambda cents: cents / 100),
    "one cent about 94,000": st.integers(9_400_000, 9_400_001).map(lambda cents: cents / 100),
    "neighbouring doubles": st.integers(0, 3).map(lambda steps: 94_000 + steps * float(np.spacing(94_000.0))),
    "amounts": st.integers(1, 10_000_000).map(lambda steps: steps / 100_000),
}


def exact_sum(values: Sequence[float]) -> tuple[float, float]:
    high, low = 0.0, 0.0
    for value in values:
        high, low = add(high, low, value)
    return high, low


def exact_moment(values: Sequence[float], power: int) -> float:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** power for value in exact))


def folded(parts: Sequence[Sequence[float]]) -> NDArray[Any]:
    """Moments of bars that begin a second after one another."""
    bars = np.zeros(len(parts), MOMENTS)
    sums = np.array([exact_sum(part) for part in parts], SUM)
    starts = np.arange(len(parts)) * 1_000_000
    ends = np.cumsum([len(part) for part in parts])
    assert fold_moments(np.concatenate(parts), starts, ends, sums, bars, 0) == len(parts)
    return bars


def merged(bars: NDArray[Any], length_us: int = DAY_US) -> NDArray[Any]:
    longer = np.zeros(bars.size, MOMENTS)
    return longer[: merge_moments(bars, length_us, longer, 0)]


def pairs_of(xs: Sequence[float], ys: Sequence[float]) -> NDArray[Any]:
    sample = np.zeros(1, PAIRS)
    sample["x_sum"], sample["y_sum"] = exact_sum(xs), exact_sum(ys)
    put_pairs(sample[0], with_low_parts(xs), with_low_parts(ys))
    return sample


def with_low_parts(values: Sequence[float]) -> NDArray[Any]:
    return np.array([(value, 0.0) for value in values], SUM)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40 * SOAK)
@given(data=st.data())
def test_merged_moments_are_those_of_the_whole(level: str, data: st.DataObject) -> None:
    part = st.lists(LEVELS[level], min_size=1, max_size=12)
    parts = data.draw(st.lists(part, min_size=1, max_size=8))
    values = [value for part in parts for value in part]
    (moments,) = merged(folded(parts))
    scale = max(abs(value - float(np.mean(values))) for value in values)
    for column, power in (("second", 2), ("third", 3), ("fourth", 4)):
        # Odd moments cancel: they are as exact as the terms that they are the sum of.
        allowed = 1e-12 * len(values) * scale**power
        assert moments[column] == pytest.approx(exact_moment(values, power), rel=1e-12, abs=allowed)
    assert moments["second"] == pytest.approx(exact_moment(values, 2), rel=1e-12)
    assert (moments["n"], moments["lowest"], moments["highest"]) == (len(values), min(values), max(values))


@settings(max_examples=60 * SOAK)
@given(value=st.floats(1e-9, 1e9), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=20), cut=st.integers(0, 20))
def test_moments_of_a_constant_sample_are_exactly_zero(value: float, sizes: list[int], cut: int) -> None:
    parts = [[value] * size for size in sizes]
    moments = folded(parts)
    longer = merged(moments, max(cut, 1) * 1_000_000)
    for power in ("second", "third", "fourth"):
        assert not moments[power].any()
        assert not longer[power].any()


def test_bars_merge_into_their_own_row_only() -> None:
    longer = merged(folded([[1.0, 3.0], [5.0], [7.0, 7.0], [7.0], [2.0]]), 2_000_000)
    assert longer["second"].tolist() == [8.0, 0.0, 0.0]
    assert longer["highest"].tolist() == [5.0, 7.0, 2.0]
    assert longer["start"].tolist() == [0, 2_000_000, 4_000_000]


@settings(max_examples=60 * SOAK)
@given(
    pairs=st.lists(st.tuples(LEVELS["prices near 94,000"], LEVELS["amounts"]), min_size=1, max_size=30),
    cuts=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_joined_pairs_are_those_of_the_whole(pairs: list[tuple[float, float]], cuts: tuple[int, int]) -> None:
    xs, ys = ([pair[k] for pair in pairs] for k in (0, 1))
    first, second = sorted(cuts)
    sample = np.zeros(1, PAIRS)[0]
    for begin, end in ((0, first), (first, second), (second, len(pairs))):
        if xs[begin:end]:
            join_pairs(sample, pairs_of(xs[begin:end], ys[begin:end])[0])
        else:
            join_pairs(sample, np.zeros(1, PAIRS)[0])
    x_square, y_square = exact_moment(xs, 2), exact_moment(ys, 2)
    x_mean, y_mean = sum(map(Fraction, xs)) / len(xs), sum(map(Fraction, ys)) / len(ys)
    cross = float(sum((Fraction(x) - x_mean) * (Fraction(y) - y_mean) for x, y in pairs))
    assert sample["n"] == len(pairs)
    assert sample["xx"] == pytest.approx(x_square, rel=1e-12)
    assert sample["yy"] == pytest.approx(y_square, rel=1e-12)
    assert sample["xy"] == pytest.approx(cross, rel=1e-12, abs=1e-13 * (x_square * y_square) ** 0.5)


def test_a_pair_joins_an_empty_sample() -> None:
    pair, sample = np.zeros(2, PAIRS)
    put_pair(pair, 2.0, 0.0, 3.0, 0.0)
    join_pairs(sample, pair)
    put_pair(pair, 4.0, 0.0, 5.0, 0.0)
    join_pairs(sample, pair)
    assert (sample["n"], sample["x_sum"]["high"], sample["y_sum"]["high"], sample["xy"]) == (2, 6, 8, 2)


@given(value=st.floats(1e-9, 1e9), n=st.integers(1, 2**26 - 1), m=st.integers(1, 2**26 - 1))
def test_samples_of_the_same_constant_have_no_gap(value: float, n: int, m: int) -> None:
    def total(size: int) -> tuple[float, float]:
        exact = Fraction(value) * size
        high = float(exact)
        return high, float(exact - Fraction(high))

    assert mean_gap(float(n), *total(n), float(m), *total(m)) == 0
