"""Whatever is withheld from recordings is told, on its day and on no other: every stream of every venue."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.completeness.outages import DAY_MS, DAYS, FIRST, INSTRUMENTS, MINUTE_MS, SYMBOLS, Frame, record
from tests.soak import SOAK

from aperiodic.completeness.judgement import Judgement
from aperiodic.engine.importing import import_recordings
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALL_DAYS: Final = [FIRST + timedelta(days=offset) for offset in range(DAYS)]
EXAMPLES: Final = settings(
    max_examples=4 * SOAK, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_LEAST_FRAMES: Final = 50
_DAY: Final = 24 * 60


@lru_cache(maxsize=8)
def whole(exchange: Exchange, *, quotes: bool) -> tuple[Frame, ...]:
    return tuple(record(exchange, 7, quotes=quotes))


def rows(lake: Lake) -> set[tuple[Stream, str, int]]:
    """Which seconds of which clock have ticks of which stream: these are the shortest bars that there can be."""
    found: set[tuple[Stream, str, int]] = set()
    for held in lake.current(ObjectKind.TICKS):
        ticks = lake.store.read_parquet(held.path)
        for clock in ("exchange_timestamp", "local_timestamp"):
            seconds = ticks.select(pl.col(clock).dt.epoch("s")).to_series().unique()
            found |= {(Stream(held.key.dataset), clock, second) for second in seconds}
    return found


def take(lake: Lake, exchange: Exchange, folder: Path, files: Sequence[Sequence[Frame]], order: Sequence[int]) -> None:
    """Import files one by one, then give them all once more, as the documents say for files that came late."""
    beside = []
    if exchange is Exchange.OKX_PERPS:
        beside = [folder / "instruments.json"]
        beside[0].write_text(json.dumps({"code": "0", "data": [INSTRUMENTS]}))
    paths = []
    for number, frames in enumerate(files):
        paths.append(folder / f"{number}.log")
        paths[-1].write_bytes(b"".join(frame.line for frame in frames))
    for number in order:
        import_recordings(lake, exchange, [*beside, paths[number]])
    if list(order) != sorted(order):
        import_recordings(lake, exchange, [*beside, *paths])


@lru_cache(maxsize=8)
def whole_rows(exchange: Exchange, *, quotes: bool) -> frozenset[tuple[Stream, str, int]]:
    with TemporaryDirectory() as name, closing(Lake.open(Settings(home=Path(name) / "home"))) as lake:
        take(lake, exchange, Path(name), [whole(exchange, quotes=quotes)], [0])
        return frozenset(rows(lake))


def incomplete_days(lake: Lake, exchange: Exchange) -> set[tuple[Stream, date]]:
    symbol = str(SYMBOLS[exchange])
    streams = {Stream(held.key.dataset) for held in lake.current(ObjectKind.TICKS)}
    with lake.engine.connect() as connection:
        judgement = Judgement(connection, exchange, [symbol], list(Stream), ALL_DAYS[0], ALL_DAYS[-1])
    return {
        (stream, day)
        for stream in streams
        for day in ALL_DAYS
        if not judgement.verdict(symbol, [stream], day, day).complete
    }


def split(frames: Sequence[Frame], shares: Iterable[float]) -> list[Sequence[Frame]]:
    """Split a recording into files of at least 50 frames."""
    inside = len(frames) - 2 * _LEAST_FRAMES
    edges = [0]
    for place in sorted(_LEAST_FRAMES + int(share * inside) for share in shares if inside > 0):
        if place - edges[-1] >= _LEAST_FRAMES:
            edges.append(place)
    return [frames[begin:end] for begin, end in zip(edges, [*edges[1:], len(frames)], strict=True)]


@st.composite
def outage(draw: st.DrawFn, least_minutes: int) -> tuple[int, int]:
    """When a recorder is down, ms; never so near a midnight that its usual silences reach over it."""
    begin = draw(st.integers(0, DAYS - 1)) * _DAY + draw(st.integers(20, _DAY - 160))
    end = begin + draw(st.integers(least_minutes, 30 * 60))
    if end % _DAY < 20:
        end += 20
    if end % _DAY > _DAY - 90:
        end += 130
    return begin * MINUTE_MS, min(end * MINUTE_MS, DAYS * DAY_MS)


VENUES: Final = st.sampled_from(sorted(SYMBOLS))


def check(
    exchange: Exchange,
    withheld: Sequence[Frame],
    given_frames: Sequence[Frame],
    shares: list[float],
    seed: int,
    *,
    quotes: bool,
) -> None:
    files = split(given_frames, shares)
    order = list(range(len(files)))
    if seed:
        Random(seed).shuffle(order)  # noqa: S311 - a test
    with TemporaryDirectory() as name, closing(Lake.open(Settings(home=Path(name) / "home"))) as lake:
        take(lake, exchange, Path(name), files, order)
        judged = incomplete_days(lake, exchange)
        lacking = whole_rows(exchange, quotes=quotes) - rows(lake)
    held = {stream for stream, _, _ in whole_rows(exchange, quotes=quotes)}
    lost = {(stream, date(1970, 1, 1) + timedelta(days=second // 86_400)) for stream, _, second in lacking}
    assert {item for item in lost if item[0] in held} <= judged
    touched = {frame.day for frame in withheld}
    assert {day for _, day in judged} <= touched


@EXAMPLES
@given(
    exchange=VENUES,
    down=st.lists(outage(least_minutes=40), max_size=2),
    shares=st.lists(st.floats(0, 1), max_size=4),
    seed=st.integers(0, 999),
    quotes=st.booleans(),
)
@example(  # the last file's book is known only when the one before it comes, and its last update long before its end
    exchange=Exchange.OKX_PERPS,
    down=[(20 * MINUTE_MS, 60 * MINUTE_MS)],
    shares=[0.0, 0.04265, 0.5625, 1.0],
    seed=413,
    quotes=True,
)
def test_a_recorder_that_was_down_is_told_on_these_days_and_on_no_other(
    exchange: Exchange, down: list[tuple[int, int]], shares: list[float], seed: int, *, quotes: bool
) -> None:
    quotes = quotes or exchange in {Exchange.BINANCE, Exchange.BINANCE_FUTURES}
    frames = whole(exchange, quotes=quotes)
    withheld = [frame for frame in frames if any(begin <= frame.at < end for begin, end in down)]
    lost = set(map(id, withheld))
    check(exchange, withheld, [frame for frame in frames if id(frame) not in lost], shares, seed, quotes=quotes)


@EXAMPLES
@given(
    exchange=VENUES,
    down=outage(least_minutes=13 * 60),
    choice=st.integers(0, 99),
    shares=st.lists(st.floats(0.3, 0.7), max_size=1),
)
def test_one_stream_that_was_not_recorded_is_told_and_the_others_are_whole(
    exchange: Exchange, down: tuple[int, int], choice: int, shares: list[float]
) -> None:
    frames = whole(exchange, quotes=True)
    channels = sorted({frame.streams for frame in frames}, key=sorted)
    channel = channels[choice % len(channels)]
    withheld = [frame for frame in frames if frame.streams == channel and down[0] <= frame.at < down[1]]
    lost = set(map(id, withheld))
    check(exchange, withheld, [frame for frame in frames if id(frame) not in lost], shares, 0, quotes=True)


@pytest.mark.parametrize("exchange", [Exchange.BINANCE_FUTURES, Exchange.BINANCE, Exchange.OKX_PERPS])
def test_single_frames_of_numbered_streams_are_told(exchange: Exchange) -> None:
    frames = whole(exchange, quotes=True)
    lost = []
    for stream in (Stream.TRADES, Stream.BOOK):
        numbered = [frame for frame in frames if stream in frame.streams and frame.day == ALL_DAYS[1]]
        lost.append(numbered[len(numbered) // 2])
    check(exchange, lost, [frame for frame in frames if frame not in lost], [], 0, quotes=True)


def test_a_first_frame_that_was_left_out_is_told_until_its_file_is_given_again(lake: Lake, tmp_path: Path) -> None:
    exchange = Exchange.HYPERLIQUID_PERPS
    frames = whole(exchange, quotes=True)
    paths = [tmp_path / "earlier.log", tmp_path / "later.log"]
    for path, part in zip(paths, (frames[:1_500], frames[1_500:]), strict=True):
        path.write_bytes(b"".join(frame.line for frame in part))
    import_recordings(lake, exchange, [paths[1]])
    import_recordings(lake, exchange, [paths[0]])
    assert incomplete_days(lake, exchange) == {(Stream.TRADES, frames[1_500].day)}
    import_recordings(lake, exchange, [paths[1]])
    assert incomplete_days(lake, exchange) == set()
    assert rows(lake) == whole_rows(exchange, quotes=True)
