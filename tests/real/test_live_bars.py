"""Recorded ticks, handed to the maker of live rows in random batches: every row is that of the build, bit for bit."""

from __future__ import annotations

import random
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from tests.engine.live.comparing import Reader, compare
from tests.engine.open_days.test_open_days import Clockwork
from tests.lakes import SOAK

from aperiodic.engine.handover import Announced, HandedOver
from aperiodic.engine.handover.messages import decode, encode
from aperiodic.engine.handover.receiver import Track
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.packed_rows import pack
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import Lake, ObjectKind, Scope, Settings
from aperiodic.lake.checkpoints import Checkpoint, write_checkpoint
from aperiodic.market import DAY_US, Clock, Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_SHARD: Final = "a"
_WITHIN: Final = 120 * _SECOND
"""Of longer sets so much before and after midnight is taken, unless the tests run longer."""

Series = tuple[Stream, Symbol]
Frames = dict[Series, pl.DataFrame]

_CRYPTOFEED: Final = "binance-usdm/ws_raw_cryptofeed/BINANCE_FUTURES"
_SETS: Final = {
    "A": (Exchange.BINANCE_FUTURES, [f"binance-usdm/ws_raw/btcusdt_2023040{day}.dat.gz" for day in (4, 5)]),
    "A spot": (Exchange.BINANCE, ["binance-spot/ws_raw/btcusdt_20230405.dat.gz"]),
    "B": (Exchange.BINANCE_FUTURES, ["binance-usdm/ws_raw/btcusdt_20240808.gz"]),
    "B spot": (Exchange.BINANCE, [f"binance-spot/ws_raw/btcusdt_2024080{day}.gz" for day in (8, 9)]),
    "C": (Exchange.BINANCE_FUTURES, [f"{_CRYPTOFEED}.{part}" for part in ("ws.1.0", "http.0.0", "0")]),
    "D 2021": (Exchange.OKX_PERPS, [f"okx/ws_raw_20210722/OKEX.{part}" for part in ("ws.1.0", "0")]),
    "D 2022": (Exchange.OKX_PERPS, [f"okx/ws_raw_20220513/OKX.{part}" for part in ("ws.1.0", "0")]),
    "E": (Exchange.HYPERLIQUID_PERPS, ["hyperliquid/ws_raw/btcusd_20250126.gz"]),
}


def recorded_ticks(folder: Path, exchange: Exchange, files: list[Path]) -> Frames:
    """Return the ticks of recordings by series, in the order of their arrival."""
    found: defaultdict[Series, list[pl.DataFrame]] = defaultdict(list)
    with closing(Lake.open(Settings(home=folder))) as lake:
        import_recordings(lake, exchange, files)
        for record in lake.current(ObjectKind.TICKS):
            series = Stream(record.key.dataset), Symbol.parse(record.key.symbol)
            found[series].append(lake.store.read_parquet(record.path))
    frames = {series: pl.concat(days).sort("local_timestamp", maintain_order=True) for series, days in found.items()}
    first, last = _reach(frames)
    midnight = last // DAY_US * DAY_US
    if SOAK > 1 or last - first <= 2 * _WITHIN:
        return frames
    middle = midnight if first < midnight - _SECOND else (first + _WITHIN)
    arrived = pl.col("local_timestamp").to_physical().is_between(middle - _WITHIN, middle + _WITHIN)
    return {series: some for series, frame in frames.items() if (some := frame.filter(arrived)).height}


def _reach(frames: Frames) -> tuple[int, int]:
    times = [frame["local_timestamp"].to_physical() for frame in frames.values()]
    return int(min(each[0] for each in times)), int(max(each[-1] for each in times))


class Recorder:
    """Hands ticks over, and now and then commits what it has handed over, as `aperiodic normalise` does."""

    def __init__(self, lake: Lake, exchange: Exchange, chance: random.Random) -> None:
        self._lake = lake
        self._exchange = exchange
        self._chance = chance
        self.number = self._committed = self._received = 0
        self._pending: defaultdict[Series, list[pl.DataFrame]] = defaultdict(list)

    def hand_over(self, ticks: Frames, received: int) -> HandedOver:
        for series, frame in ticks.items():
            self._pending[series].append(frame)
        self.number += 1
        self._received = received
        names = [(stream, str(symbol)) for stream, symbol in ticks]
        rows = [frame.with_columns(_plain(frame)).rows() for frame in ticks.values()]
        told = [(str(name[0]), name[1], pack(name[0], some)) for name, some in zip(names, rows, strict=True)]
        self._chance.shuffle(told)
        return HandedOver(self._exchange, _SHARD, "run", self.number, self._committed, received, told)

    def commit(self) -> Announced:
        """Write what is pending; return what is said of the files."""
        fingerprints: list[str] = []
        batch = self._lake.batch()
        for (stream, symbol), frames in self._pending.items():
            with self._lake.writing(Scope(self._exchange, str(symbol), "parts")):
                at = stream, self._exchange, symbol, pl.concat(frames), Source.RECORDING
                fingerprints += append_ticks(self._lake, batch, *at)
        received = self._received
        checkpoint = Checkpoint(self._exchange, _SHARD, "", 0, "", 0, received, {}, received)
        batch.change(lambda connection: write_checkpoint(connection, checkpoint))
        batch.commit()
        first, self._committed = self._committed + 1, self.number
        self._pending.clear()
        return Announced(self._exchange, _SHARD, "run", first, self.number, fingerprints, [])


def _plain(frame: pl.DataFrame) -> list[pl.Expr]:
    return [pl.col(name).to_physical() for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)] + [
        pl.col(name).cast(pl.String) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Enum)
    ]


def heard(track: Track, message: HandedOver | Announced) -> list[HandedOver | Announced]:
    """Let a message come as it does over the socket."""
    received = decode(encode(message))
    if isinstance(received, HandedOver):
        track.take(received)
    else:
        track.announce(received)
    return [received]


def batches(frames: Frames, chance: random.Random) -> Iterator[tuple[int, Frames]]:
    """Yield ticks as they arrived, and until when all had, µs; in the second half some of a series come at the end."""
    at, over = _reach(frames)
    middle, late = (at + over) // 2, None
    times = {series: frame["local_timestamp"].to_physical() for series, frame in frames.items()}
    while at <= over:
        until = at + chance.choice([1, 100, 900, 3_000, 9_000]) * 1_000 + chance.randrange(1_000)
        some: Frames = {}
        for series, frame in frames.items():
            begin, end = (int(times[series].search_sorted(edge)) for edge in (at, until))
            if end > begin:
                some[series] = frame[begin:end]
        if late is None and at > middle and some:
            series = chance.choice(list(some))
            late = {series: some.pop(series)}
        yield until, some
        at = until
    assert late is not None
    yield at, late


@pytest.mark.parametrize("name", _SETS)
def test_live_rows_of_recorded_ticks_are_those_of_the_build(
    real_data: Path, tmp_path: Path, lake: Lake, name: str
) -> None:
    exchange, files = _SETS[name]
    chance = random.Random(name)  # noqa: S311 - where batches end
    frames = recorded_ticks(tmp_path / "whole", exchange, [real_data / each for each in files])
    first, last = _reach(frames)
    reader, clock = Reader(), Clockwork(first)
    recorder = Recorder(lake, exchange, chance)
    track = Track()
    maker = LiveMaker(lake, reader, seconds=lambda: ALL_SECONDS, track=track, hold_us=250_000, now=clock)
    maker.round()
    begun = 1
    for until, ticks in batches(frames, chance):
        clock.now = until
        maker.round(heard(track, recorder.hand_over(ticks, until)))
        if chance.random() < 0.2:
            announced = heard(track, recorder.commit())
            clock.now += 500_001  # the ledger is asked twice a second
            maker.round(announced)
            if chance.random() < 0.1:
                track = Track()
                maker = LiveMaker(lake, reader, seconds=lambda: ALL_SECONDS, track=track, hold_us=250_000, now=clock)
                maker.round()
                begun += 1
    announced = heard(track, recorder.commit())
    # The venue goes on with another instrument until the day is over: bars of every length are told.
    over = (last // DAY_US + 1) * DAY_US + 10 * _MINUTE
    clock.now = over
    message = HandedOver(exchange, _SHARD, "run", recorder.number + 1, recorder.number, over, [_trade_of_another(over)])
    maker.round(announced + heard(track, message))
    with lake.engine.begin() as connection:
        write_checkpoint(connection, Checkpoint(exchange, _SHARD, "", 0, "", 0, over, {}, over))
    for _ in {symbol for _, symbol in frames}:  # what came late is read anew, one instrument after the other
        clock.now += 11 * _MINUTE
        maker.round()
    assert any(row.revision > 0 for rows in reader.rows.values() for row in rows)
    compared = compare(lake, reader, first + 2 * _SECOND, over - 10 * _MINUTE)
    assert set(compared) == {(on, interval) for on in Clock for interval in on.intervals}
    ticks_in = sum(frame.height for frame in frames.values())
    again = sum(rows[-1].revision > 0 for rows in reader.rows.values())
    datasets = len({bar.dataset for bar in reader.rows})
    print(  # noqa: T201 - how much was compared
        f"set {name}: {ticks_in:,} ticks, {begun} starts, {datasets} datasets, {len(reader.rows):,} bars, {again:,} corrected; {compared}"
    )


def _trade_of_another(at: int) -> tuple[str, str, list[tuple[object, ...]]]:
    return Stream.TRADES, "spot-ZEC-USDT", [(at, at, "1", "buy", 1.0, 1.0, 1)]
