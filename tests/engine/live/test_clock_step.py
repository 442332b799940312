"""The clock of the machine that receives is set, forth or back: what is told late or again is told so, and ends right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.importing.frames import quote, trade
from tests.engine.importing.segments import T, Writer, opened, over
from tests.engine.live.test_handover import STREAMS, Installation, published
from tests.engine.live.test_live_bars import Series, same, told
from tests.lakes import SOAK, VENUE

from aperiodic.engine.build import build
from aperiodic.engine.live.rows import ALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake

HOUR_MS = 3_600_000
STEP_AT_MS = 30_000
END_MS = 90_000
"""T is 100 s before midnight."""


def arrivals(shift: int, back_at: int | None) -> Iterator[tuple[int, list[bytes]]]:
    """Blocks of lines of a second; from `STEP_AT_MS` until `back_at` they arrive by a clock that is wrong."""
    for at in range(1_000, END_MS, 1_000):
        wrong = shift if at >= STEP_AT_MS and (back_at is None or at < back_at) else 0
        frames = [trade(at, t=at // 250, p=str(100 + at // 250 % 7)), quote(at + 3)]
        yield at + wrong, [over("a1", frame, ms=wrong) for frame in frames]
    # Long after, by a clock that is right again.
    later = END_MS + 2 * HOUR_MS
    for at in range(later, later + 125_000, 5_000):
        yield at, [over("a1", frame) for frame in (trade(at, t=at // 250), quote(at + 3))]


def record(writer: Writer, parts: Installation, shift: int, back_at: int | None) -> None:
    """Let all of it arrive and be told, and what came late be read in and told."""
    writer.block(opened(0, "a1", *STREAMS[:2]))
    for at, lines in arrivals(shift, back_at):
        writer.block(*lines)
        parts.clock.now = (T + at) * 1_000
        parts.read(commit=at % 2_000 == 0)
        parts.make()
    parts.read(commit=True)
    for _ in range(3):
        parts.clock.now += 1_200_000_000
        parts.make()


def last_told(rows: list[LiveRow]) -> dict[tuple[Series, int], LiveRow]:
    return {((row.dataset, row.clock, row.interval), row.time): row for row in rows}


def wrong_rows(rows: list[LiveRow], bars: dict[tuple[Series, int], dict[str, Any]]) -> list[tuple[Series, int]]:
    return [key for key, row in last_told(rows).items() if key not in bars or not same(told(row), bars[key])]


STEPS = [(-HOUR_MS, None), (HOUR_MS, 45_000)]
MORE = [(HOUR_MS, None), (-HOUR_MS, 45_000), (2_000, 31_000)]


@pytest.mark.parametrize(("shift", "back_at"), STEPS + (MORE if SOAK > 1 else []))
def test_rows_end_as_the_published_ones_when_the_clock_is_set(lake: Lake, shift: int, back_at: int | None) -> None:
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    parts.maker._seconds = lambda: ALL_SECONDS if SOAK > 1 else frozenset()
    record(writer, parts, shift, back_at)
    build(lake)
    bars = published(lake)
    assert wrong_rows(parts.rows, bars) == []
    seen = last_told(parts.rows).keys()
    first = (T + 2_000) * 1_000
    missing = [key for key in bars.keys() - seen if key[0][1] == "exchange" and first <= key[1] and key[0][2] == "1m"]
    newest = max(time for _, time in bars)
    assert [key for key in missing if key[1] + 60_000_000 < newest] == []
    if (
        shift > 0
    ):  # a clock that is ahead does not stop the bars of the other one; set back, they wait until it is there again
        open_then = min(row.told_at for row in parts.rows if row.clock == "exchange")
        assert open_then <= (T + END_MS + shift) * 1_000
    corrected = sum(row.revision > 0 for row in parts.rows)
    print(f"{len(parts.rows):,} rows, {corrected:,} of them corrections, are the published ones")  # noqa: T201
