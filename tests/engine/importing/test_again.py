"""Recordings that are imported again: what is held stays as it is."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import depth, mark, quote, snapshot, trade
from tests.engine.importing.segments import T, Writer, live, opened, over, rest
from tests.lakes import BTC, VENUE, hashes

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks, read_day
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

STREAMS = ("btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@0ms", "btcusdt@markPrice@1s")
BOOK = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
INTEREST = "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT"
DAY = day_at(T // 86_400_000)
FAR_S = 1e10
"""So long a day waits that it is open for ever."""


def interest(ms: float, *, time: int = 0) -> bytes:
    """An answer of one value, told `ms` after T, that the venue made `time` ms after T."""
    body = {"symbol": "BTCUSDT", "openInterest": "10", "time": T + time}
    return rest(ms, b"0 " + json.dumps(body).encode() + b"\n", INTEREST)


def record(home: Path, files: int = 3, shard: str = "a", *, ms: float = 0) -> list[Path]:
    """Recordings of one recorder, each with two answers of the same time."""
    writer = Writer(home, VENUE, shard)
    paths = []
    for n in range(files):
        first = 10 * n
        moments = range(first + 1, first + 6)
        writer.block(
            opened(first + ms, "a1", *STREAMS, continued=n > 0),
            *([] if n == 0 else [live(first + ms, "a1", *STREAMS)]),
            *([rest(0.5, snapshot(0), BOOK)] if n == 0 else []),
            *(over("a1", each(number), ms=ms) for number in moments for each in (trade, quote, depth, mark)),
            interest(first + 6 + ms),
            interest(first + 7 + ms),
            over("a1", mark(first + 8), ms=ms),
        )
        paths.append(writer.seal().path)
    return paths


def days(lake: Lake) -> dict[str, pl.DataFrame]:
    found = {stream: read_day(lake, stream, VENUE, BTC, DAY) for stream in Stream}
    return {str(stream): ticks for stream, ticks in found.items() if ticks is not None}


def unchanged(lake: Lake, before: dict[str, pl.DataFrame]) -> None:
    after = days(lake)
    assert {stream: ticks.height for stream, ticks in after.items()} == {
        stream: ticks.height for stream, ticks in before.items()
    }
    assert [stream for stream, ticks in after.items() if not ticks.equals(before[stream])] == []


@pytest.mark.parametrize("grace_s", [0, FAR_S], ids=["closed", "open"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_normalised_stays_the_same(lake: Lake, tmp_path: Path, grace_s: float, *, at_once: bool) -> None:
    paths = record(lake.home)
    Normaliser(lake, grace_s=grace_s).run_once()
    before = days(lake)
    assert set(before) >= {"trades", "quotes", "book", "mark_price", "open_interest"}
    assert before["open_interest"].height == 6
    for given in [paths] if at_once else [[path] for path in paths]:
        import_recordings(lake, VENUE, given, again=True)
        unchanged(lake, before)
    compact_ticks(lake)
    unchanged(lake, before)
    with closing(Lake.open(Settings(home=tmp_path / "fresh"))) as other:
        import_recordings(other, VENUE, paths)
        unchanged(other, before)
        assert hashes(lake, ObjectKind.TICKS) == hashes(other, ObjectKind.TICKS)


@pytest.mark.parametrize("grace_s", [0, FAR_S], ids=["closed", "open"])
def test_what_two_recorders_received_stays_the_same(lake: Lake, grace_s: float) -> None:
    paths = [*record(lake.home), *record(lake.home, shard="b", ms=0.1)]
    Normaliser(lake, grace_s=grace_s).run_once()
    before = days(lake)
    for path in paths:
        import_recordings(lake, VENUE, [path], again=True)
        unchanged(lake, before)


def test_a_part_that_is_lost_comes_with_its_recording(lake: Lake) -> None:
    """Those of other recordings are no reason to leave its answers out."""
    paths = record(lake.home)
    normaliser = Normaliser(lake, grace_s=FAR_S)
    normaliser.run_once()
    before = days(lake)
    parts = lake.current(ObjectKind.TICK_PARTS, dataset="open_interest")
    assert len(parts) == 3
    lake.store.delete(parts[1].path)
    import_recordings(lake, VENUE, paths[1:2], again=True)
    (whole,) = lake.current(ObjectKind.TICKS, dataset="open_interest")
    assert lake.store.read_parquet(whole.path).equals(before["open_interest"])
    assert [part.path for part in lake.current(ObjectKind.TICK_PARTS, dataset="open_interest")] == [parts[1].path]
