"""A day whose events come in parts has the same bars as in one piece, to the last bit, whatever the parts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.lakes import SOAK, VENUE
from tests.oracle import Market, random_market

from aperiodic.catalog import Family
from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import DAY_US, Clock, Interval, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN: Final = day_start_us(date(2025, 5, 1))
Events = dict[Stream, pl.DataFrame]


@pytest.fixture(scope="module")
def market() -> Market:
    """A day and its eve: many events of equal times, many seconds with several events."""
    market = random_market(3, 1_500, date(2025, 4, 30), days=2)

    def crowded(frame: pl.DataFrame) -> pl.DataFrame:
        """Squeeze each day into its first ten minutes."""
        times = pl.col("exchange_timestamp", "local_timestamp").to_physical()
        squeezed = times // DAY_US * DAY_US + times % DAY_US // 144 // 1_000 * 1_000
        return frame.with_columns(squeezed.cast(pl.Datetime("us", "UTC")))

    return Market(*(crowded(frame) for frame in market))


def day_of(market: Market, family: Family, clock: Clock) -> DayTicks:
    kernel = KERNELS[family]
    time = pl.col(clock.column).to_physical().alias("time")
    frames = {
        stream: getattr(market, stream.value).select(time, *columns).sort("time", maintain_order=True)
        for stream, columns in kernel.columns.items()
    }
    return DayTicks(
        exchange=VENUE,
        clock=clock,
        begin=BEGIN,
        day={stream: frame.filter(pl.col("time") >= BEGIN) for stream, frame in frames.items()},
        before={
            stream: frames[stream]
            .filter(KERNELS[family].usable.get(stream, pl.lit(value=True)), pl.col("time") < BEGIN)
            .tail(1)
            for stream in kernel.looks_back
        },
    )


def parts_of(day: Mapping[Stream, pl.DataFrame], cuts: list[int], ties: list[float]) -> list[Events]:
    """Cut a day at some events of all streams in order of time; of events of the cut's own time any share comes before."""
    begun = dict.fromkeys(day, 0)
    parts = []
    for cut, share in zip(cuts, ties, strict=True):
        part = {}
        for stream, frame in day.items():
            times = frame["time"]
            first, past = (int(times.search_sorted(cut, side=side)) for side in ("left", "right"))
            end = max(first + round((past - first) * share), begun[stream])
            part[stream] = frame.slice(begun[stream], end - begun[stream])
            begun[stream] = end
        parts.append(part)
    return [*parts, {stream: frame.slice(begun[stream]) for stream, frame in day.items()}]


@pytest.mark.parametrize("family", Family)
def test_bars_do_not_depend_on_how_a_day_is_divided(family: Family, market: Market) -> None:
    kernel = KERNELS[family]
    ticks = day_of(market, family, Clock.EXCHANGE)
    whole = kernel.bars(ticks)
    times = sorted({time for frame in ticks.day.values() for time in frame["time"]})

    @settings(max_examples=6 * SOAK)
    @given(
        cuts=st.lists(st.sampled_from(times), max_size=6).map(sorted),
        data=st.data(),
    )
    def same(cuts: list[int], data: st.DataObject) -> None:
        shares = st.sampled_from([0.0, 0.5, 1.0])
        opened = kernel.open_day(ticks)
        for part in parts_of(ticks.day, cuts, [data.draw(shares) for _ in cuts]):
            opened.fold(part)
            if data.draw(st.booleans()):
                opened.finish([Interval.S1])  # looking at open bars changes nothing
        divided = opened.finish(list(Interval))
        for interval, frame in whole.items():
            assert_frame_equal(divided[interval], frame, check_exact=True)

    same()


@pytest.mark.parametrize("family", Family)
def test_open_bars_are_those_of_what_happened_so_far(family: Family, market: Market) -> None:
    kernel = KERNELS[family]
    ticks = day_of(market, family, Clock.TRUE)
    times = sorted({time for frame in ticks.day.values() for time in frame["time"]})
    opened = kernel.open_day(ticks)
    seen = BEGIN
    for cut in (times[len(times) // 3], times[len(times) // 2], times[-1] + 1):
        between = pl.col("time").is_between(seen, cut, closed="left")
        opened.fold({stream: frame.filter(between) for stream, frame in ticks.day.items()})
        seen = cut
        so_far = {stream: frame.filter(pl.col("time") < cut) for stream, frame in ticks.day.items()}
        expected = kernel.bars(DayTicks(ticks.exchange, ticks.clock, ticks.begin, so_far, ticks.before))
        found = opened.finish(list(Interval))
        for interval, frame in expected.items():
            assert_frame_equal(found[interval], frame, check_exact=True)


@pytest.mark.parametrize("family", Family)
def test_the_last_bars_alone_are_those_of_the_whole_day(family: Family, market: Market) -> None:
    kernel = KERNELS[family]
    ticks = day_of(market, family, Clock.TRUE)
    whole = kernel.bars(ticks)
    times = sorted({time for frame in ticks.day.values() for time in frame["time"]})

    @settings(max_examples=10 * SOAK)
    @given(
        cuts=st.lists(st.sampled_from(times), max_size=4).map(sorted),
        since=st.sampled_from([*times, times[-1] + DAY_US]),
        interval=st.sampled_from(list(Interval)),
    )
    def same(cuts: list[int], since: int, interval: Interval) -> None:
        begin = since - since % interval.microseconds
        opened = kernel.open_day(ticks)
        for part in parts_of(ticks.day, cuts, [0.5] * len(cuts)):
            opened.fold(part)
            opened.finish([interval], begin)
        found = opened.finish([interval], begin)
        expected = whole[interval].filter(pl.col("time").to_physical() >= begin)
        assert found.keys() == {interval}
        assert_frame_equal(found[interval], expected, check_exact=True)

    same()


@pytest.mark.parametrize("family", Family)
def test_bars_of_minutes_stay_the_same_when_those_of_seconds_are_joined_and_leave_memory(
    family: Family, market: Market
) -> None:
    kernel = KERNELS[family]
    ticks = day_of(market, family, Clock.TRUE)
    whole = kernel.bars(ticks)
    times = sorted({time for frame in ticks.day.values() for time in frame["time"]})
    minute = Interval.M1.microseconds
    of_minutes = {time // minute: time for time in reversed(times)}  # before these, all bars may be joined
    some = st.sampled_from(times) | st.sampled_from(sorted(of_minutes.values()))

    @settings(max_examples=20 * SOAK)
    @given(cuts=st.lists(some, min_size=1, max_size=6).map(sorted), data=st.data())
    def same(cuts: list[int], data: st.DataObject) -> None:
        opened, joined = kernel.open_day(ticks), BEGIN
        left: list[tuple[int, bytes]] = []
        parts = parts_of(ticks.day, cuts, [data.draw(st.sampled_from([0.0, 0.5])) for _ in cuts])
        for part, cut in zip(parts, cuts, strict=False):
            opened.fold(part)
            if data.draw(st.booleans()):
                opened.finish([Interval.S15, Interval.M5])
            if data.draw(st.booleans()):
                joined = cut - cut % minute
                opened.join_seconds(joined)
                if data.draw(st.booleans()) and (leaving := opened.leaving(joined)) is not None:
                    left.append((joined, leaving))
                    opened.leave(joined, lambda time: [part for end, part in left if end > time])
        opened.fold(parts[-1])
        for interval, expected in whole.items():
            since = joined if interval.sub_minute else data.draw(st.none() | st.sampled_from(times))
            begin = BEGIN if since is None else since - since % interval.microseconds
            found = opened.finish([interval], None if since is None else begin)[interval]
            assert_frame_equal(found, expected.filter(pl.col("time").to_physical() >= begin), check_exact=True)

    same()
