"""Recordings told again, captured, normalised and built give the ticks and bars of importing them.

`make test` tells short recordings ten times as fast; with APERIODIC_SOAK all of sets A and B are told too, and
everything but B at its own pace as well.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from tests.replay.pipeline import (
    bars_of,
    begin,
    capturing,
    differences,
    holes_of,
    lead_to,
    normalised,
    numbers_missing,
    ready_capture,
    symbols_of,
    ticks_of,
)
from tests.replay.sets import SETS, ReplaySet
from tests.servers import serving
from tests.soak import SOAK

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.lake import Lake, Settings
from aperiodic.market import Interval
from aperiodic.mock import MockExchange, MockSettings, RecordedSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.replay.pipeline import Hole, Series

IS_LONG: Final = SOAK > 1
SETTLE_S: Final = 0.5

HANDED_OVER: Final = (
    [("B", 10.0), *((name, speed) for speed in (10.0, 1.0) for name in ("C", "D 2021", "D 2022", "E", "A"))]
    if IS_LONG
    else [("C", 10.0), ("D 2021", 10.0), ("D 2022", 4.0), ("E", 10.0)]
)
KILLED: Final = [("A", 10.0), ("C", 1.0), ("D 2021", 1.0), ("E", 1.0)] if IS_LONG else [("C", 6.0)]
AWAY_S: Final = {"D 2021": 5.0, "E": 5.0}
"""For how many seconds of a quiet recording nothing is captured after the kill: a restart alone may lose nothing of it."""

OF_THE_MONTH: Final = ("flow_toxicity_score",)
"""Fields that measure a bar against the others of its month: a gap changes them in bars that it does not touch."""


def imported(folder: Path, told: ReplaySet, home: Path) -> Lake:
    lake = Lake.open(Settings(home=home))
    import_recordings(lake, told.exchange, told.paths(folder))
    return lake


def captured_only(lake: Lake, told: ReplaySet) -> dict[Series, pl.DataFrame]:
    """Return the ticks of the instruments that are captured: files may hold more."""
    symbols = symbols_of(told.exchange, told.natives)
    return {series: ticks for series, ticks in ticks_of(lake, told.exchange).items() if series[1] in symbols}


@pytest.mark.parametrize(("name", "speed"), HANDED_OVER)
async def test_with_a_hand_over_in_the_middle_ticks_and_bars_are_those_of_an_import(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, speed: float
) -> None:
    told = SETS[name]
    length = told.seconds / speed
    source = RecordedSource(told.exchange, told.paths(real_data), speed=speed)
    settings = {"capture_hand_over_s": SETTLE_S + length / 2.5, "capture_overlap_s": min(5.0, length / 8)}
    async with MockExchange([source], MockSettings(remember=True, settle_s=SETTLE_S)) as mock:
        lead_to(mock, monkeypatch)
        async with capturing(tmp_path / "live", told.exchange, told.natives, told.channels, **settings) as session:
            await mock.finished()
            await asyncio.sleep(0.5)
            handed_over = [keeper.handed_over for keeper in session.keepers]
    assert not [line for line in mock.truth.lines if line["what"] in {"missed", "withheld"}]
    assert min(handed_over) >= 1
    with (
        closing(normalised(tmp_path / "live")) as got,
        closing(imported(real_data, told, tmp_path / "import")) as wanted,
    ):
        have, expected = ticks_of(got, told.exchange), captured_only(wanted, told)
        assert sum(ticks.height for ticks in expected.values()) > 50
        late = late_begins(have, expected, most=1)
        for series, (missing, extra) in differences(have, expected, told.exchange).items():
            assert extra.is_empty(), (series, extra)
            assert missing.filter(~within(late.get(series, []))).is_empty(), (series, missing)
            say(f"{name} at {speed:g}x: {missing.height} of {series} before its first snapshot")
        for series, ticks in have.items():
            say(f"{name} at {speed:g}x, {sum(handed_over)} hand-overs: {ticks.height:,} {series} compared")
            assert holes_of(got, told.exchange, series, ticks) == []
            assert numbers_missing(got, told.exchange, series) == numbers_missing(wanted, told.exchange, series)
        if not IS_LONG and name != "D 2022":
            return
        compared = bars_outside(late, got, wanted, told)
        say(f"{name} at {speed:g}x: {compared:,} bars all equal")
    if name == "D 2022":
        assert_served_alike(tmp_path / "live", tmp_path / "import", told)


def assert_served_alike(live: Path, imported_home: Path, told: ReplaySet) -> None:
    """Compare what the SDK fetches from servers over both installations."""
    (symbol,) = symbols_of(told.exchange, told.natives)
    fetched = []
    for home in (live, imported_home):
        with serving(home) as api:
            fetched.append(
                [
                    api.metrics(
                        dataset,
                        interval="1m",
                        exchange=str(told.exchange),
                        symbol=symbol,
                        start_date="2022-05-01",
                        end_date="2022-05-31",
                    )
                    for dataset in ("l1_price", "l2_liquidity")
                ]
            )
    for left, right in zip(*fetched, strict=True):
        assert left.height > 0
        assert left.equals(right)


@pytest.mark.parametrize(("name", "speed"), KILLED)
async def test_a_killed_capture_lacks_what_its_gaps_say_and_nothing_else(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, speed: float
) -> None:
    told = SETS[name]
    source = RecordedSource(told.exchange, told.paths(real_data), speed=speed)
    home = tmp_path / "live"
    async with MockExchange([source], MockSettings(settle_s=SETTLE_S)) as mock:
        lead_to(mock, monkeypatch)
        what = home, told.exchange, told.natives, told.channels
        capture, following = await ready_capture(*what), await ready_capture(*what)
        begin(capture)
        await mock.venues[told.exchange].began.wait()
        await asyncio.sleep(told.seconds / speed / 3)
        capture.kill()
        await capture.wait()
        await asyncio.sleep(AWAY_S.get(name, 0.0) / speed)
        begin(following)
        await mock.finished()
        await asyncio.sleep(1.0)
        following.send_signal(signal.SIGTERM)
        assert await following.wait() == 0
    with closing(normalised(home)) as got, closing(imported(real_data, told, tmp_path / "import")) as wanted:
        have, expected = ticks_of(got, told.exchange), captured_only(wanted, told)
        differing = differences(have, expected, told.exchange)
        holes = {series: holes_of(got, told.exchange, series, ticks) for series, ticks in have.items()}
        late = late_begins(have, expected, most=30, away=holes)
        assert any(missing.height for missing, _ in differing.values())
        for series, (missing, extra) in differing.items():
            assert extra.is_empty(), (series, extra)
            known = holes[series] + late.get(series, [])
            assert missing.filter(~within(known)).is_empty(), (series, known, missing)
            assert_numbered(got, told, series, known, missing)
            say(f"{name} at {speed:g}x, killed: {missing.height:,} of {expected[series].height:,} {series} in its gaps")
        if IS_LONG:
            every = {series: found + late.get(series, []) for series, found in holes.items()}
            compared = bars_outside(every, got, wanted, told)
            say(f"{name} at {speed:g}x, killed: {compared:,} bars outside the gaps all equal")


def assert_numbered(lake: Lake, told: ReplaySet, series: Series, holes: Sequence[Hole], missing: pl.DataFrame) -> None:
    """Make sure that where there are numbers the ledger knows of all ticks that are missing by number too."""
    numbers = numbers_missing(lake, told.exchange, series)
    if numbers and all(after is not None for _, after in holes):
        counted = pl.any_horizontal(pl.col("sequence").is_between(first + 1, last) for first, last in numbers)
        first = pl.col("sequence") <= min(first for first, _ in numbers)
        assert missing.filter(~counted & ~first).is_empty(), (series, numbers, missing)


def late_begins(
    have: Mapping[Series, pl.DataFrame],
    expected: Mapping[Series, pl.DataFrame],
    *,
    most: int,
    away: Mapping[Series, Sequence[Hole]] | None = None,
) -> dict[Series, list[Hole]]:
    """Return where a series begins later.

    A recorder that asked for a book before its first change knew it earlier; and the first ticks of a quiet series may
    come when all others of its instrument have a hole.
    """
    late: dict[Series, list[Hole]] = {}
    for series, ticks in expected.items():
        times, begin = ticks["exchange_timestamp"], have[series]["exchange_timestamp"].min()
        if times.min() != begin:
            if series[0] == "book":
                assert (times < begin).sum() <= most
            else:
                others = [found for (_, symbol), found in (away or {}).items() if symbol == series[1] and found]
                early = ticks.filter(times < begin)
                assert others, series
                assert all(early.filter(~within(found)).is_empty() for found in others), (series, early, others)
            late[series] = [(times.min(), begin)]
    return late


def within(holes: Sequence[Hole]) -> pl.Expr:
    time = pl.col("exchange_timestamp")
    return pl.any_horizontal(
        pl.lit(value=False), *((time >= left) & (time <= right if right else True) for left, right in holes)
    )


def bars_outside(holes: Mapping[Series, Sequence[Hole]], got: Lake, wanted: Lake, told: ReplaySet) -> int:
    """Compare all bars that no hole of their instrument touches; return their number."""
    for lake in (got, wanted):
        build(lake)
    found, compared = bars_of(got, told.exchange), 0
    symbols = symbols_of(told.exchange, told.natives)
    for (dataset, interval, symbol, period), rows in bars_of(wanted, told.exchange).items():
        if symbol not in symbols:
            continue
        begins = pl.col("time").dt.replace_time_zone("UTC")
        ends = begins + timedelta(microseconds=Interval(interval).microseconds)
        untouched = pl.lit(value=True)
        for before, after in (hole for series, each in holes.items() for hole in each if series[1] == symbol):
            untouched &= (ends <= before) | ((begins > after) if after else False)
        beyond = OF_THE_MONTH if any(holes.values()) else ()
        mine = found[dataset, interval, symbol, period].filter(untouched).drop(beyond, strict=False)
        assert mine.equals(rows.filter(untouched).drop(beyond, strict=False)), (dataset, interval, symbol)
        compared += mine.height
    return compared


def say(words: str) -> None:
    """Print a figure; `pytest -rP` shows it."""
    print(words)  # noqa: T201
