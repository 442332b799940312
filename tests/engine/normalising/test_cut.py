"""Sealed recordings of which something is missing: nothing after what is left of them is read until they are whole."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import trade
from tests.engine.importing.segments import Writer, opened, over
from tests.engine.normalising.test_normaliser import DAY, lines_of
from tests.lakes import BTC, VENUE

from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import read_day
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.imports import read_imports
from aperiodic.market import Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from aperiodic.lake.recordings import Recording

ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
STREAMS = (Stream.TRADES, Stream.QUOTES, Stream.BOOK, Stream.MARK_PRICE)


def record(home: Path, files: int = 3) -> list[Recording]:
    """Recordings of one writer, each of two blocks."""
    writer, lines = Writer(home, VENUE), lines_of()
    each = len(lines) // files + 1
    found = []
    for begin in range(0, len(lines), each):
        own = lines[begin : begin + each]
        for block in (own[: each // 2], own[each // 2 :]):
            writer.block(*block)
        found.append(writer.seal())
    return found


def ticks(lake: Lake) -> dict[Stream, pl.DataFrame | None]:
    return {stream: read_day(lake, stream, VENUE, BTC, DAY) for stream in STREAMS}


def normalised(lake: Lake) -> tuple[list[str], list[str]]:
    """What is said, and the names of the recordings that wait."""
    said: list[str] = []
    normaliser = Normaliser(lake, say=said.append, grace_s=1e10)
    normaliser.run_once()
    return said, [recording.path.name for recording in normaliser.cut]


def imported(lake: Lake) -> set[str]:
    with lake.engine.connect() as connection:
        return {record.name for record in read_imports(connection)}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Stream, pl.DataFrame | None]]:
    """The ticks of recordings of which nothing was missing at any time."""
    with closing(Lake.open(Settings(home=tmp_path_factory.mktemp("whole")))) as lake:
        record(lake.home)
        assert normalised(lake) == ([], [])
        yield ticks(lake)


def same(lake: Lake, expected: dict[Stream, pl.DataFrame | None]) -> bool:
    return all(
        found is not None and wanted is not None and found.equals(wanted)
        for found, wanted in zip(ticks(lake).values(), expected.values(), strict=True)
    )


@pytest.mark.parametrize("left", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_what_was_cut_is_told_and_taken_whole_once_it_is_whole(
    lake: Lake, expected: dict[Stream, pl.DataFrame | None], which: int, left: float
) -> None:
    recordings = record(lake.home)
    cut = recordings[which]
    content = cut.path.read_bytes()
    cut.path.write_bytes(content[: int(len(content) * left)])
    for _ in range(2):
        said, waiting = normalised(lake)
        assert waiting == [cut.path.name]
        (words,) = said
        assert str(cut.path) in words
        assert "aperiodic recordings fetch --exchange binance-futures" in words
        assert imported(lake) == {recording.path.name for recording in recordings[:which]}
    cut.path.write_bytes(content)
    assert normalised(lake) == ([], [])
    assert imported(lake) == {recording.path.name for recording in recordings}
    assert same(lake, expected)


def test_it_is_told_once_by_a_program_that_goes_on(lake: Lake, expected: dict[Stream, pl.DataFrame | None]) -> None:
    cut = record(lake.home)[1]
    content = cut.path.read_bytes()
    said: list[str] = []
    normaliser = Normaliser(lake, say=said.append, grace_s=1e10)
    for present in (content[:100], content[:200], content):
        cut.path.write_bytes(present)
        normaliser.run_once()
        assert len(said) == 1
        assert bool(normaliser.cut) == (present != content)
    assert same(lake, expected)


@pytest.mark.parametrize("left", [0.1, 0.9])
def test_what_was_read_before_it_was_sealed_and_cut_is_not_taken_twice(lake: Lake, left: float) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    writer.block(*lines[:80])
    Normaliser(lake, grace_s=1e10).run_once()
    writer.block(*lines[80:120])
    cut = writer.seal()
    writer.block(*lines[120:])
    writer.seal()
    content = cut.path.read_bytes()
    before = ticks(lake)
    cut.path.write_bytes(content[: int(len(content) * left)])
    assert normalised(lake)[1] == [cut.path.name]
    assert same(lake, before)
    cut.path.write_bytes(content)
    assert normalised(lake) == ([], [])
    trades = ticks(lake)[Stream.TRADES]
    assert trades is not None
    assert trades["sequence"].to_list() == list(range(1, 60))


def test_days_stay_open_and_other_writers_go_on(lake: Lake) -> None:
    cut = record(lake.home)[0]
    cut.path.write_bytes(cut.path.read_bytes()[:50])
    other = Writer(lake.home, VENUE, "b")
    other.block(opened(0, "b1", "ethusdt@trade"), *(over("b1", trade(n, symbol="ETHUSDT")) for n in range(1, 5)))
    other.seal()
    normaliser = Normaliser(lake, grace_s=0)
    normaliser.run_once()
    held = read_day(lake, Stream.TRADES, VENUE, ETH, DAY)
    assert held is not None
    assert held.height == 4
    assert lake.current(ObjectKind.TICK_PARTS)


def test_one_whose_ticks_are_made_may_be_cut(lake: Lake, expected: dict[Stream, pl.DataFrame | None]) -> None:
    recordings = record(lake.home)
    aside = lake.home / "aside"
    recordings[2].path.rename(aside)
    normalised(lake)
    for recording in recordings[:2]:
        recording.path.write_bytes(recording.path.read_bytes()[:100])
    aside.rename(recordings[2].path)
    assert normalised(lake) == ([], [])
    assert imported(lake) == {recording.path.name for recording in recordings}
    trades, wanted = ticks(lake)[Stream.TRADES], expected[Stream.TRADES]
    assert trades is not None
    assert wanted is not None
    assert trades.equals(wanted)


@pytest.mark.parametrize("sidecar", ["gone", "unreadable"])
def test_without_a_sidecar_what_is_left_is_taken(lake: Lake, sidecar: str) -> None:
    recordings = record(lake.home)
    cut = recordings[1]
    cut.path.write_bytes(cut.path.read_bytes()[:-5])
    assert normalised(lake)[1] == [cut.path.name]
    if sidecar == "gone":
        cut.sidecar_path.unlink()
    else:
        cut.sidecar_path.write_bytes(b"{")
    assert normalised(lake) == ([], [])
    assert imported(lake) == {recording.path.name for recording in recordings}
    trades = ticks(lake)[Stream.TRADES]
    assert trades is not None
    assert trades["sequence"].max() == 59
    assert 30 < trades.height < 59
