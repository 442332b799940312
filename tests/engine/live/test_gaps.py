"""A bar that overlaps a gap says so, whenever that becomes known; and says when the gap was filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.engine.live.comparing import Bar, Reader, compare, values_of
from tests.engine.live.gappy import SECOND, record
from tests.engine.open_days.test_open_days import BEGIN, Clockwork
from tests.lakes import BTC, VENUE

from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.market import Stream

if TYPE_CHECKING:
    from aperiodic.lake import Lake

MINUTE: Final = 60 * SECOND
LATER: Final = 660 * SECOND
"""Late ticks are taken in by then."""


class Making:
    """A maker of live rows, and what it has told."""

    def __init__(self, lake: Lake) -> None:
        self.clock = Clockwork(BEGIN)
        self.reader = Reader()
        self.maker = LiveMaker(lake, self.reader, seconds=lambda: ALL_SECONDS, now=self.clock, hold_us=250_000)

    def go_on(self, second: int) -> None:
        self.clock.now = BEGIN + second * SECOND
        self.maker.round()

    def told(self, dataset: str, interval: str, second: int, clock: str = "true") -> list[tuple[int, bool]]:
        """Return revision, and whether it was complete, of all rows of a bar."""
        bar = Bar(VENUE, str(BTC), dataset, clock, interval, BEGIN + second * SECOND)
        return [(row.revision, row.complete) for row in self.reader.rows.get(bar, [])]


@pytest.fixture
def making(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Making:
    made = Making(lake)
    monkeypatch.setattr("aperiodic.completeness.judgement.now_us", made.clock)
    record(lake, BEGIN, 0, 5)
    made.go_on(5)
    return made


def test_a_bar_that_overlaps_a_gap_says_so_until_its_ticks_come(lake: Lake, making: Making) -> None:
    record(lake, BEGIN, 5, 70)
    making.go_on(70)
    record(lake, BEGIN, 85, 130)
    making.go_on(130)
    for clock in ("true", "exchange"):
        assert making.told("ohlcv", "1m", 0, clock) == [(0, True)]
        assert making.told("ohlcv", "1m", 60, clock) == [(0, False)]
    assert making.told("ohlcv", "1s", 69) == [(0, True)]
    assert making.told("ohlcv", "1s", 75) == []
    assert making.told("ohlcv", "1s", 90) == [(0, True)]
    record(lake, BEGIN, 70, 85)
    making.go_on(133)
    assert making.told("ohlcv", "1m", 60) == [(0, False)], "its ticks are in files, and not in the bar yet"
    making.go_on(140)
    assert making.told("ohlcv", "1m", 60) == [(0, False)]
    making.clock.now += LATER
    making.maker.round()
    making.clock.now += 3 * SECOND
    making.maker.round()
    for clock in ("true", "exchange"):
        assert making.told("ohlcv", "1m", 60, clock) == [(0, False), (1, False), (2, True)]
    assert making.told("ohlcv", "1s", 75) == [(1, False), (2, True)]
    assert all(rows[-1].complete for bar, rows in making.reader.rows.items() if bar.time >= BEGIN)
    compare(lake, making.reader, BEGIN + 5 * SECOND, BEGIN + 120 * SECOND)


def test_a_gap_that_becomes_known_later_is_told_with_the_rows_of_its_stream(lake: Lake, making: Making) -> None:
    record(lake, BEGIN, 5, 70)
    record(lake, BEGIN, 70, 130, streams=(Stream.TRADES,))
    making.go_on(130)
    assert making.told("ohlcv", "1m", 60) == [(0, True)]
    assert making.told("slippage", "1m", 60) == [(0, True)], "quotes may be on their way"
    record(lake, BEGIN, 110, 130, streams=(Stream.QUOTES,))
    making.go_on(133)
    assert making.told("slippage", "1m", 60) == [(0, True), (1, False)]
    assert making.told("slippage", "1m", 0) == [(0, True)]
    assert making.told("ohlcv", "1m", 60) == [(0, True)], "its ticks are all here"
    before = {bar: values_of(rows[-1]) for bar, rows in making.reader.rows.items()}
    making.go_on(136)
    assert {bar: values_of(rows[-1]) for bar, rows in making.reader.rows.items()} == before


def test_an_instrument_that_begins_within_a_bar_is_not_complete_there(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = Making(lake)
    monkeypatch.setattr("aperiodic.completeness.judgement.now_us", making.clock)
    making.go_on(57)
    record(lake, BEGIN, 58, 61)
    making.go_on(61)
    assert making.told("ohlcv", "1m", 0) == [(0, False)]
    assert making.told("ohlcv", "1s", 59) == [(0, True)]


def test_a_day_is_read_anew_though_a_stream_was_silent_for_long(lake: Lake, making: Making) -> None:
    record(lake, BEGIN, 5, 70)
    making.go_on(200)
    record(lake, BEGIN, 199, 320, streams=(Stream.TRADES,))
    making.go_on(320)
    record(lake, BEGIN, 70, 80, streams=(Stream.TRADES,))
    making.go_on(322)
    making.clock.now += LATER
    making.maker.round()
    assert making.told("ohlcv", "1m", 60)[-1][0] == 1
