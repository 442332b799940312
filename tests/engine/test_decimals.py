"""Returns of decimal prices against 60-digit arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lakes import SOAK
from tests.oracle import returns as exact

from aperiodic.engine.partials.decimals import log_return, simple_return, without_step

prices = st.builds(
    lambda base, steps, places: (base + steps) / 10**places,
    st.sampled_from([1, 250, 280_000, 9_400_000, 123_456_789]),
    st.integers(0, 40),
    st.sampled_from([0, 1, 2, 5, 8]),
)
doubles = st.floats(1e-9, 1e9)


@settings(max_examples=100 * SOAK)
@given(before=prices | doubles, after=prices | doubles)
def test_returns_do_not_depend_on_the_step_that_is_tried_first(before: float, after: float) -> None:
    expected = simple_return(before, after, 1.0)[:2]
    assert {simple_return(before, after, 10.0**places)[:2] for places in range(13)} == {expected}
    assert expected[0] == float(exact.simple_return(before, after))


@settings(max_examples=100 * SOAK)
@given(before=prices, after=prices)
def test_small_returns_have_more_digits_than_a_double(before: float, after: float) -> None:
    high, low, _ = simple_return(before, after, 1.0)
    logarithm, rest = log_return(high, low, before, after)
    for found, true in (
        (Fraction(high) + Fraction(low), exact.simple_return(before, after)),
        (Fraction(logarithm) + Fraction(rest), exact.log_return(before, after)),
    ):
        if true == 0:
            assert found == 0
        else:
            allowed = 1e-18 if abs(true) < 1e-3 else 2e-15
            assert abs(found - true) <= allowed * abs(true)


def test_prices_without_a_step_are_counted_and_taken_as_doubles() -> None:
    odd = 0.1 + 0.2
    assert without_step(np.array([28_000.1, odd, 0.00001234, 1e16 + 2, 94_000.37])) == 2
    assert simple_return(0.3, odd, 1.0)[0] == (odd - 0.3) / 0.3
    assert simple_return(9_687.61, 9_687.62, 1.0)[0] == pytest.approx(1 / 968_761, rel=1e-16)
