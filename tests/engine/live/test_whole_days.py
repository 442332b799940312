"""Rows of bars of any length, up to a day, are those of the build, however their ticks come."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl
import pytest
from tests.engine.live.comparing import Reader, compare
from tests.engine.open_days.test_open_days import Clockwork
from tests.lakes import BTC, SOAK, VENUE

from aperiodic.catalog import DATASETS
from aperiodic.completeness.recorded import Recorded, add_recorded, whole_days
from aperiodic.engine.build import build
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import Scope
from aperiodic.market import DAY_US, Clock, Source, Stream
from aperiodic.market.time import day_start_us
from aperiodic.simulate import MarketSpec, simulate_day

if TYPE_CHECKING:
    from aperiodic.lake import Lake

DAY: Final = date(2025, 5, 2)
BEGIN: Final = day_start_us(DAY)
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
READ_ANEW: Final = 11 * MINUTE
"""Ticks that came late are taken in by then."""

EVERY: Final = {
    Stream.QUOTES: 5,
    Stream.BOOK: 7,
    Stream.MARK_PRICE: 197,
    Stream.INDEX_PRICE: 189,
    Stream.FUNDING_RATE: 901,
    Stream.OPEN_INTEREST: 7,
}
"""Of so many ticks one is kept: a day is coarse, and few bars have a tick of every stream."""

ARRIVED: Final = pl.col("local_timestamp").to_physical()

Ticks = dict[Stream, pl.DataFrame]


class Stretch(NamedTuple):
    """A time, µs, in which ticks of some streams do not come when they should."""

    begin: int
    end: int
    streams: tuple[Stream, ...]
    comes: int | None
    """When they do, µs; None: never."""


def market(day: date, seed: int) -> Ticks:
    spec = MarketSpec(VENUE, BTC, seed, 250)
    made = simulate_day(spec, day, list(Stream))
    return {stream: ticks.gather_every(EVERY.get(stream, 1)) for stream, ticks in made.items()}


def stretches(chance: random.Random) -> list[Stretch]:
    """Return stretches that do not overlap: ticks of three come late, those of three never."""
    found: list[Stretch] = []
    for place in chance.sample(range(8), 6):
        begin = BEGIN + place * DAY_US // 8 + chance.randrange(5, 60) * MINUTE + chance.randrange(MINUTE)
        end = begin + chance.choice([1, 20, 200]) * MINUTE // 2
        streams = tuple(chance.sample(list(Stream), chance.choice([1, 2, 7])))
        comes = end + chance.choice([2, 30, 400]) * MINUTE if len(found) % 2 else None
        found.append(Stretch(begin, end, streams, comes))
    return found


def part(ticks: Ticks, begin: int, end: int, left_out: list[Stretch]) -> Ticks:
    """Return the ticks that arrive from one time until before another, but those of some stretches."""
    found = {}
    for stream, some in ticks.items():
        wanted = ARRIVED.is_between(begin, end, closed="left")
        for each in left_out:
            if stream in each.streams:
                wanted &= ~ARRIVED.is_between(each.begin, each.end, closed="left")
        found[stream] = some.filter(wanted)
    return found


def recorded(begin: int, end: int, left_out: list[Stretch]) -> dict[tuple[str, str], list[Recorded]]:
    """Return when streams were recorded between two times."""
    found: dict[tuple[str, str], list[Recorded]] = {}
    for stream in Stream:
        at, times = begin, found.setdefault((str(BTC), stream), [])
        for each in sorted(
            each for each in left_out if stream in each.streams and each.begin < end and each.end > begin
        ):
            times += [whole_days(at, each.begin)] if at < each.begin else []
            at = each.end
        times += [whole_days(at, end)] if at < end else []
    return found


def append(lake: Lake, ticks: Ticks, times: dict[tuple[str, str], list[Recorded]] | None = None) -> None:
    with lake.writing(Scope(VENUE, str(BTC), "parts")):
        batch = lake.batch()
        for stream, some in ticks.items():
            if some.height:
                append_ticks(lake, batch, stream, VENUE, BTC, some, Source.RECORDING)
        batch.change(lambda connection: add_recorded(connection, VENUE, times or {}))
        batch.commit()


@pytest.mark.parametrize("seed", range(1, 2 * SOAK))
def test_rows_of_a_day_are_those_of_the_build_whatever_is_late_or_lost_and_who_begins_again(
    lake: Lake, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311 - where batches end
    append(lake, market(date(2025, 5, 1), seed))
    build(lake)  # the month before the day is known
    seconds = seed % 3 == 0
    reader, clock = Reader(), Clockwork(BEGIN)
    monkeypatch.setattr("aperiodic.completeness.judgement.now_us", clock)
    ticks, holes = market(DAY, seed), stretches(chance)

    def begun() -> LiveMaker:
        made = LiveMaker(
            lake, reader, seconds=lambda: ALL_SECONDS if seconds else frozenset(), now=clock, hold_us=250_000
        )
        made.round()
        return made

    def go_on(until: int) -> None:
        clock.now = until
        maker.round()

    at, over = BEGIN + MINUTE, BEGIN + DAY_US + 2 * MINUTE
    append(lake, part(ticks, 0, at, []), recorded(BEGIN, at, []))
    clock.now = at
    maker = begun()
    late = sorted((each for each in holes if each.comes is not None), key=lambda each: each.comes or 0)
    while at < over:
        until = min(at + int(chance.choice([1, 7, 40, 170]) * MINUTE * (chance.random() + 0.1)), over)
        append(lake, part(ticks, at, until, holes), recorded(at, until, holes))
        while late and (late[0].comes or 0) <= until:
            fill(lake, ticks, late.pop(0))
        go_on(until)
        if chance.random() < 0.2 and not maker._is_behind((VENUE, BTC)):
            go_on(until + 3 * SECOND)  # what has been filled is told
            maker = begun()
        at = until
    for each in late:
        fill(lake, ticks, each)
    after = {stream: some.head(5) for stream, some in market(date(2025, 5, 3), seed).items()}
    append(lake, after)
    for _ in range(4):
        go_on(clock.now + READ_ANEW)
    compared = compare(lake, reader, BEGIN, BEGIN + DAY_US, seconds=seconds)
    lost = [each for each in holes if each.comes is None]
    torn = 0
    for bar, rows in reader.rows.items():
        if bar.end <= BEGIN + DAY_US:
            streams = DATASETS[bar.dataset].streams
            overlaps = any(
                bar.time < each.end and bar.end > each.begin and {*streams} & {*each.streams} for each in lost
            )
            assert rows[-1].complete is not overlaps, bar
            torn += overlaps
    again = sum(rows[-1].revision > 0 for rows in reader.rows.values())
    print(  # noqa: T201 - how much was compared
        f"{compared}; {len(reader.rows):,} bars, {again:,} of them corrected, {torn:,} overlap a gap"
    )
    assert again
    assert torn
    assert {bar.dataset for bar in reader.rows} == set(DATASETS)
    assert compared.keys() >= {(on, each) for on in Clock for each in on.intervals if seconds or not each.sub_minute}


def fill(lake: Lake, ticks: Ticks, stretch: Stretch) -> None:
    """Let the ticks of a stretch come."""
    own = {stream: ticks[stream] for stream in stretch.streams}
    times = recorded(stretch.begin, stretch.end, [])
    append(
        lake,
        part(own, stretch.begin, stretch.end, []),
        {(str(BTC), each): times[str(BTC), each] for each in stretch.streams},
    )
