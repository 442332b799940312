"""Rows made of ticks that are handed over are those of the build, whoever restarts and whatever is missed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.engine.importing.frames import mark, quote, trade
from tests.engine.importing.segments import T, Writer, opened, over
from tests.engine.live.test_live_bars import Series, same, told
from tests.engine.open_days.test_open_days import Clockwork
from tests.lakes import VENUE

from aperiodic.engine.build import build
from aperiodic.engine.handover import Announced, HandedOver
from aperiodic.engine.handover.messages import decode, encode
from aperiodic.engine.handover.receiver import Track
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.open_days.instrument import OpenInstrument
from aperiodic.lake import ObjectKind
from aperiodic.market import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake

STREAMS = ("btcusdt@trade", "btcusdt@bookTicker", "btcusdt@markPrice@1s")
LAST_MS = 340_000
"""T is 100 s before midnight."""


class Wire:
    """In the place of the hub: keeps messages until somebody takes them, or loses them."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.is_read = True
        self.messages: list[HandedOver | Announced] = []

    def tell(self, message: HandedOver | Announced) -> None:
        self.messages.append(decode(encode(message)))

    def take(self, track: Track) -> Iterator[HandedOver | Announced]:
        taken, self.messages = self.messages, []
        for message in taken:
            if isinstance(message, HandedOver):
                track.take(message)
            else:
                track.announce(message)
            yield message


class Installation:
    """What `normalise` and `live` do, step by step; each of them can end and begin again."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.rows: list[LiveRow] = []
        self.clock = Clockwork(T * 1_000)
        self.begins = 0
        self.begin_normaliser()
        self.begin_maker()

    def begin_normaliser(self) -> None:
        self.begins += 1
        self.wire = Wire(f"run {self.begins}")
        self.normaliser = Normaliser(self.lake, sender=self.wire)  # type: ignore[arg-type]

    def begin_maker(self) -> None:
        self.track = Track()
        self.maker = LiveMaker(
            self.lake, self.rows.extend, seconds=lambda: ALL_SECONDS, track=self.track, hold_us=250_000, now=self.clock
        )

    def read(self, *, commit: bool) -> None:
        self.normaliser._list()
        for key, shard in self.normaliser._shards.items():
            while self.normaliser._read(key, shard):
                pass
            shard.hand_over()
            if commit:
                shard.commit()
                shard.hand_over()

    def make(self) -> None:
        self.maker.round(self.wire.take(self.track))


def lines(first: int, last: int) -> list[bytes]:
    """What arrives from one ms after T on to before another."""
    found = []
    for at in range(-(-first // 250) * 250, last, 250):
        found += [trade(at, t=at // 250, p=str(100 + at // 250 % 7)), quote(at + 3)]
        if at % 1_000 == 0:
            found.append(mark(at + 5))
    return [over("a1", line) for line in found]


def published(lake: Lake) -> dict[tuple[Series, int], dict[str, Any]]:
    found = {}
    for record in lake.current(ObjectKind.BARS):
        frame = lake.store.read_parquet(record.path).with_columns(pl.col("time").to_physical())
        for row in frame.to_dicts():
            found[(record.key.dataset, record.key.clock, record.key.interval), row["time"]] = row
    return found


def compare(lake: Lake, rows: list[LiveRow], since: int, until: int) -> int:
    """Compare every row that was told with what the build publishes; return the number of values compared."""
    build(lake)
    bars = published(lake)
    cells = 0
    for row in rows:
        key = (row.dataset, row.clock, row.interval), row.time
        values = told(row)
        differ = {name: (value, bars[key].get(name)) for name, value in values.items() if value != bars[key].get(name)}
        assert same(values, bars[key]), (key, differ)
        cells += len(bars[key])
    seen = {((row.dataset, row.clock, row.interval), row.time) for row in rows}
    missing = [
        (series, time)
        for series, time in bars.keys() - seen
        if since <= time <= until - Interval(series[2]).microseconds
    ]
    assert missing == []
    print(f"{cells:,} values of {len(rows):,} rows compared")  # noqa: T201 - how much was compared
    return cells


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_are_those_of_the_build_whatever_ends_and_begins_again(lake: Lake, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - where batches end
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    writer.block(opened(0, "a1", *STREAMS))
    at = 250
    while at < LAST_MS:
        following = min(at + chance.choice([100, 300, 1_000, 1_700, 12_000]), LAST_MS)
        if batch := lines(at, following):
            writer.block(*batch)
        at = following
        parts.clock.now = (T + at) * 1_000
        what = chance.random()
        if what < 0.04:
            parts.begin_normaliser()
        elif what < 0.08:
            parts.begin_maker()
        parts.read(commit=chance.random() < 0.3)
        if 0.08 < what < 0.13:
            parts.wire.messages.clear()  # as when too many waited
        parts.make()
    parts.read(commit=True)
    parts.clock.now += 1_000_000
    parts.make()
    assert compare(lake, parts.rows, (T + 2_000) * 1_000, (T + LAST_MS - 2_000) * 1_000)


def test_files_of_what_was_handed_over_are_not_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    writer.block(opened(0, "a1", *STREAMS))
    parts.read(commit=True)
    parts.make()
    read: list[object] = []
    monkeypatch.setattr(OpenInstrument, "_take", lambda _self, record: read.append(record))
    for at in range(250, 20_000, 500):
        writer.block(*lines(at, at + 500))
        parts.clock.now = (T + at + 500) * 1_000
        parts.read(commit=at % 2_000 == 250)
        parts.make()
    parts.read(commit=True)
    monkeypatch.undo()
    assert len(lake.current(ObjectKind.TICK_PARTS)) > 20
    assert len(read) <= len(STREAMS), "only those of the first commit"
    assert len({row.time for row in parts.rows if row.interval == "1s"}) >= 17
    compare(lake, parts.rows, (T + 2_000) * 1_000, (T + 18_000) * 1_000)


def test_rows_wait_for_files_where_ticks_were_missed(lake: Lake) -> None:
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    writer.block(opened(0, "a1", *STREAMS), *lines(250, 1_000))
    parts.read(commit=True)
    parts.make()
    for at in (1_000, 2_000, 3_000, 4_000):
        writer.block(*lines(at, at + 1_000))
        parts.clock.now = (T + at + 1_000) * 1_000
        parts.read(commit=False)
        if at == 2_000:
            parts.wire.messages.clear()
        parts.make()
    newest = max(row.time for row in parts.rows)
    assert newest < (T + 3_000) * 1_000, "nothing is known of the third second"
    parts.read(commit=True)
    parts.clock.now += 1_000_000
    parts.make()
    assert max(row.time for row in parts.rows) > newest
    compare(lake, parts.rows, (T + 2_000) * 1_000, (T + 3_000) * 1_000)
