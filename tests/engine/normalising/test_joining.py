from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

from tests.engine.open_days.test_open_days import DAY, append, rows
from tests.lakes import BTC, VENUE

from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.normalising.closing import join_small_parts
from aperiodic.engine.parts import read_day
from aperiodic.lake import ObjectKind
from aperiodic.market import Stream

if TYPE_CHECKING:
    from aperiodic.lake import Lake


def test_parts_of_few_series_are_joined_at_a_time_and_no_tick_is_lost(lake: Lake) -> None:
    for second in range(100):
        ticks = rows(second, second + 1)
        append(lake, {stream: ticks[stream] for stream in (Stream.TRADES, Stream.QUOTES)})
    before = {stream: read_day(lake, stream, VENUE, BTC, DAY) for stream in (Stream.TRADES, Stream.QUOTES)}

    def parts() -> list[int]:
        return sorted(len(lake.current(ObjectKind.TICK_PARTS, dataset=stream)) for stream in before)

    assert parts() == [100, 100]
    assert (join_small_parts(lake, 1 / 40), parts()) == (100, [1, 100])
    assert (join_small_parts(lake, 1 / 40), parts()) == (100, [1, 1])
    assert join_small_parts(lake) == 0
    for stream, held in before.items():
        after = read_day(lake, stream, VENUE, BTC, DAY)
        assert held is not None
        assert after is not None
        assert after.equals(held)


def test_a_part_that_is_lost_stops_no_other_work(lake: Lake) -> None:
    for second in range(100):
        append(lake, {Stream.TRADES: rows(second, second + 1)[Stream.TRADES]})
    lost = lake.current(ObjectKind.TICK_PARTS)[7]
    (lake.home / "store" / lost.path).unlink()
    normaliser = Normaliser(lake)
    waits: list[str] = []
    turns = count()

    def is_over() -> bool:
        waits.extend(filter(None, [normaliser.progress.waits]))
        return bool(waits) or next(turns) > 1_000

    normaliser.follow(is_over, lambda _seconds: time.sleep(0.01))
    assert lost.path in waits[0]
    assert len(lake.current(ObjectKind.TICK_PARTS)) == 100
