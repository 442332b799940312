from __future__ import annotations

from itertools import pairwise

import pytest

from aperiodic.capture.recorder import FLUSHED_AT_MS, until_flush_s


@pytest.mark.parametrize(
    ("now_ms", "wait_s"),
    [(7_000.0, 0.04), (7_040.0, 0.11), (7_300.0, 0.02), (7_799.5, 0.0005), (7_800.0, 0.24), (7_999.0, 0.041)],
)
def test_lines_are_handed_over_soon_after_bars_end(now_ms: float, wait_s: float) -> None:
    assert until_flush_s(now_ms) == pytest.approx(wait_s)


def test_no_line_waits_longer_than_a_quarter_of_a_second() -> None:
    assert max(late - early for early, late in pairwise([*FLUSHED_AT_MS, FLUSHED_AT_MS[0] + 1_000])) <= 250
