from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from aperiodic.engine.importing.arrivals import Arrivals, recorded_in_table
from aperiodic.market import DAY_US

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
MIDNIGHT: Final = 1_746_057_600 * SECOND


def times(begin: float, end: float, every: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Arrivals from one hour of the day to another, so many seconds apart."""
    return np.arange(MIDNIGHT + begin * HOUR, MIDNIGHT + end * HOUR, every * SECOND).astype(np.int64)


def hours(*parts: np.ndarray[tuple[int], np.dtype[np.int64]], cut: bool = False) -> list[tuple[float, float, str]]:
    """From which hour to which a table of these rows was recorded, and why it ends."""
    found = recorded_in_table(np.concatenate(parts), cut=cut)
    return [
        (round((item.covers_from - MIDNIGHT) / HOUR, 2), round((item.covers_to - MIDNIGHT) / HOUR, 2), item.ends)
        for item in found
    ]


def test_a_table_stands_for_whole_days() -> None:
    assert hours(times(0.01, 23.99, 20)) == [(0, 24, "")]
    assert hours(times(0.01, 47.99, 20)) == [(0, 48, "")]


def test_a_quiet_beginning_is_no_sign_of_loss_but_a_long_one_is() -> None:
    assert hours(times(2, 22, 3_600)) == [(0, 24, "")]
    assert hours(times(2, 22, 1)) == [(2, 22, "")]


def test_a_silence_far_longer_than_others_is_a_break() -> None:
    assert hours(times(0, 12, 1), times(18, 24, 1)) == [(0, 12, ""), (18, 24, "")]
    assert hours(times(0, 12, 600), times(13, 24, 600)) == [(-0.17, 12, ""), (12.83, 24, "")]
    assert hours(times(0, 12, 1_200), times(13, 24, 1_200)) == [(-0.33, 24, "")]


def test_a_short_stall_is_no_break() -> None:
    assert hours(times(0, 12, 1), times(12.015, 24, 1)) == [(0, 24, "")]


def test_a_table_that_broke_off_says_so() -> None:
    assert hours(times(0, 12, 1), cut=True) == [(0, 12, "cut_short")]


@pytest.mark.parametrize("order", [1, -1])
def test_arrivals_out_of_order_count_once(order: int) -> None:
    arrivals = Arrivals()
    for at in [MIDNIGHT, MIDNIGHT + 9 * SECOND, MIDNIGHT + 7 * SECOND, MIDNIGHT + 20 * SECOND][::order]:
        arrivals.see(at)
    assert (arrivals.first, arrivals.last, arrivals.count) == (MIDNIGHT, MIDNIGHT + 20 * SECOND, 4)
    assert arrivals.last < MIDNIGHT + DAY_US
