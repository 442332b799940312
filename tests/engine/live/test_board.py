"""Bars of a second that come straight from ticks that are handed over are those of the open days, and of the build."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.engine.importing.frames import mark, quote, trade
from tests.engine.importing.segments import T, Writer, opened, over
from tests.engine.live import comparing
from tests.engine.live.comparing import Reader, compare
from tests.engine.live.test_clock_step import record, wrong_rows
from tests.engine.live.test_handover import STREAMS, Installation, published
from tests.engine.open_days.test_open_days import BEGIN, SECOND, rows
from tests.lakes import BTC, VENUE

from aperiodic.catalog import Family
from aperiodic.engine.build import build
from aperiodic.engine.families import KERNELS
from aperiodic.engine.live.board import Board, cut_all, families_on_board
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.open_days.day_state import DayState
from aperiodic.engine.open_days.older_file import OlderFile
from aperiodic.engine.packed_rows import pack, ticks_of
from aperiodic.market import DAY_US, Clock, Interval, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.live.board import Bars, Waiting
    from aperiodic.engine.partials.kernel import FamilyKernel
    from aperiodic.lake import Lake

FAMILIES = (Family.TRADES, Family.QUOTES, Family.BOOK)
WANTED = frozenset(
    (dataset, "1s") for dataset in ("ohlcv", "flow", "returns", "l1_price", "l1_imbalance", "l2_imbalance")
)
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
NOTHING = pl.DataFrame(schema={"time": pl.Int64, "price": pl.Float64, "bid_price": pl.Float64, "ask_price": pl.Float64})
END_MS = 240_000
"""T is 100 s before midnight."""


@pytest.fixture
def boards(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each look at what was handed over made bars."""
    found: list[bool] = []
    take = Board.take

    def spied(self: Board, *arguments: Any) -> dict[Family, Bars] | None:
        bars = take(self, *arguments)
        found.append(bool(bars))
        return bars

    monkeypatch.setattr(Board, "take", spied)
    return found


def test_only_bars_of_a_second_of_some_families_need_no_more_than_their_ticks() -> None:
    assert families_on_board(frozenset({("ohlcv", "1s"), ("l1_price", "1s")})) == (Family.TRADES, Family.QUOTES)
    assert families_on_board(frozenset({("flow", "1s"), ("nothing", "1s")})) == (Family.TRADES,)
    for seconds in (
        frozenset[tuple[str, ...]](),
        frozenset({("ohlcv", "15s")}),
        frozenset({("ohlcv", "1s"), ("ohlcv", "15s")}),
        frozenset({("ohlcv", "1s"), ("slippage", "1s")}),
        ALL_SECONDS,
    ):
        assert families_on_board(seconds) is None


def waiting_of(ticks: dict[Stream, list[tuple[Any, ...]]], chance: random.Random) -> Waiting:
    """Hand ticks over in pieces, as they arrived."""
    found: Waiting = {}
    for stream in set(ticks) & {Stream.TRADES, Stream.QUOTES, Stream.BOOK}:
        some, at = ticks[stream], 0
        while at < len(some):
            following = at + chance.randrange(1, 5)
            found.setdefault((stream, "a", "run"), []).append(pack(stream, [list(row) for row in some[at:following]]))
            at = following
    return found


def state_of(day: int = BEGIN) -> DayState:
    def before(kernel: FamilyKernel) -> dict[Stream, pl.DataFrame]:
        return dict.fromkeys(kernel.looks_back, NOTHING)

    return DayState(VENUE, Clock.TRUE, day, before, OlderFile(Path(gettempdir())))


def add(state: DayState, waiting: Waiting, *, told: bool = False) -> None:
    for (stream, _, _), pieces in waiting.items():
        if pieces:
            state.add(Stream(stream), ticks_of(Stream(stream), pieces), told=told)


def frames_of(state: DayState) -> dict[Family, pl.DataFrame]:
    return {
        family: state._days[family].finish([Interval.S1])[Interval.S1] for family in FAMILIES if family in state._days
    }


@pytest.mark.parametrize("seed", range(6))
def test_bars_are_those_of_the_open_days_to_the_last_bit(  # noqa: C901, PLR0912, PLR0915 - two ways side by side
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "aperiodic.engine.open_days.day_state.KERNELS", {family: KERNELS[family] for family in FAMILIES}
    )
    chance = random.Random(seed)  # noqa: S311 - made-up ticks
    owners = {(VENUE, BTC): 1, (VENUE, ETH): 2}
    board, plain, told_from = Board(), {key: state_of() for key in owners}, {key: state_of() for key in owners}
    new: dict[Any, Waiting] = {key: {} for key in owners}
    made: dict[Any, list[pl.DataFrame]] = {(key, family): [] for key in owners for family in FAMILIES}
    minutes: dict[Any, list[pl.DataFrame]] = {(key, family): [] for key in owners for family in FAMILIES}
    at, on_board = 1, 0
    for key, number in owners.items():
        first = waiting_of(rows(0, 1, seed=seed * 7 + number), chance)
        add(plain[key], first)
        add(told_from[key], first)
        for state in (plain[key], told_from[key]):
            state.fold(BEGIN + at * SECOND, seconds=True)
            for family in FAMILIES:
                assert len(list(state.take_closed(family, [Interval.S1]))) <= 1
        for family, frame in frames_of(plain[key]).items():
            made[key, family].append(frame)
    while at < 200:
        following = at + chance.randrange(1, 9)
        for key, number in owners.items():
            if chance.random() < 0.9:
                some = waiting_of(rows(at, following, seed=seed * 7 + number), chance)
                add(plain[key], some)
                for name, pieces in some.items():
                    new[key].setdefault(name, []).extend(pieces)
        at = following
        edge = BEGIN + (at - chance.randrange(2)) * SECOND
        bars = board.take(new, told_from, edge, FAMILIES)
        assert bars is not None
        on_board += bool(bars)
        for family, (whole, parts) in bars.items():
            assert_frame_equal(pl.concat([frame for _, frame in parts]), whole)
            for key, frame in parts:
                made[key, family].append(frame)
        for family, (whole, parts) in board.minutes(VENUE, told_from, edge):
            assert_frame_equal(pl.concat([frame for _, frame in parts]), whole)
            for key, frame in parts:
                minutes[key, family].append(frame)
        if chance.random() < 0.3:  # the open days take all, also of the second that is not over
            for key, state in told_from.items():
                add(state, board.settle(key), told=True)
                given, new[key] = (new[key], {}) if chance.random() < 0.5 else cut_all(new[key], edge)
                add(state, given)
                board.give(key, given)
                state.fold(edge, seconds=True)
                board.forget(key, edge)
                assert [bar for family in FAMILIES for bar in state.take_closed(family, [Interval.S1])] == []
                later = [(family, *bar) for family in FAMILIES for bar in state.take_closed(family)]
                assert [bar for bar in later if bar[1] is Interval.M1 and edge >= BEGIN + 120 * SECOND] == [], (
                    "told already"
                )
    assert on_board > 20
    for key in owners:
        add(told_from[key], board.settle(key), told=True)
        for state in (plain[key], told_from[key]):
            assert state.late == 0
            state.fold(edge, seconds=True)
        for family, expected in frames_of(plain[key]).items():
            assert_frame_equal(frames_of(told_from[key])[family], expected)
            assert_frame_equal(pl.concat(made[key, family]), expected)
            begin = pl.datetime(1970, 1, 1) + pl.duration(microseconds=BEGIN + 60 * SECOND)
            end = pl.datetime(1970, 1, 1) + pl.duration(microseconds=edge - edge % (60 * SECOND))
            of_day = plain[key]._days[family].finish([Interval.M1])[Interval.M1]
            of_day = of_day.filter(pl.col("time") >= begin, pl.col("time") < end)
            assert of_day.height >= 1
            assert_frame_equal(pl.concat(minutes[key, family]), of_day)


def changed(row: tuple[Any, ...], **changes: Any) -> tuple[Any, ...]:
    return tuple(changes.get(name, value) for name, value in zip(("at", "local"), row, strict=False)) + row[2:]


def test_what_is_not_plain_is_left_to_the_open_days() -> None:
    chance = random.Random(1)  # noqa: S311 - made-up ticks
    owner = (VENUE, BTC)

    def looked(*batches: dict[Stream, list[tuple[Any, ...]]], more: Waiting | None = None) -> list[bool]:
        """Return of each batch whether bars were made of it."""
        board, state = Board(), state_of()
        state.fold(BEGIN + SECOND, seconds=True)
        found = []
        for batch in batches:
            new: dict[Any, Waiting] = {owner: waiting_of(batch, chance) | (more or {})}
            before = {key: list(pieces) for key, pieces in new[owner].items()}
            last = max(row[1] for some in batch.values() for row in some)
            bars = board.take(new, {owner: state}, last - last % SECOND + SECOND, [Family.TRADES])
            found.append(bars is not None)
            assert bars or new[owner] == before, "nothing is lost"
        return found

    def trades(first: int, last: int) -> dict[Stream, list[tuple[Any, ...]]]:
        return {Stream.TRADES: rows(first, last)[Stream.TRADES]}

    plain = trades(1, 20)[Stream.TRADES]
    assert looked(trades(1, 20), trades(20, 30)) == [True, True]
    assert looked(trades(1, 20), trades(10, 30)) == [True, False], "late"
    assert looked(trades(0, 20)) == [False], "before the first second"
    swapped = [*plain[:5], plain[6], plain[5], *plain[7:]]
    assert looked({Stream.TRADES: swapped}) == [False], "not in order"
    twice = [*plain, changed(plain[-1], local=plain[-1][1] + 5)]
    assert looked({Stream.TRADES: twice}) == [False], "a number twice"
    again = [changed(row, local=row[1] + 30 * SECOND) for row in plain[:3]]
    assert looked(trades(1, 20), {Stream.TRADES: again}) == [True, False], "numbers of before"
    jump = [changed(row, at=row[0] - 100 * SECOND) if n > 9 else row for n, row in enumerate(plain)]
    assert looked({Stream.TRADES: jump}) == [False], "numbers may have begun anew"
    others: Waiting = {(Stream.TRADES, "b", "run"): [pack(Stream.TRADES, [list(row) for row in plain])]}
    assert looked(trades(1, 20), more=others) == [False], "two writers"
    nameless = [(*row[:-1], None) for row in plain]
    assert looked({Stream.TRADES: nameless}) == [True]
    same_id = [*nameless, (*nameless[-1][:1], nameless[-1][1] + 9, *nameless[-1][2:])]
    assert looked({Stream.TRADES: same_id}) == [False], "an id twice"


def test_ticks_that_only_files_hold_are_left_to_the_open_days() -> None:
    owner, chance = (VENUE, BTC), random.Random(1)  # noqa: S311 - made-up ticks
    board, state = Board(), state_of()
    state.fold(BEGIN + SECOND, seconds=True)
    add(state, waiting_of({Stream.TRADES: rows(2, 3)[Stream.TRADES]}, chance))
    new: dict[Any, Waiting] = {owner: waiting_of({Stream.TRADES: rows(1, 5)[Stream.TRADES]}, chance)}
    assert board.take(new, {owner: state}, BEGIN + 4 * SECOND, [Family.TRADES]) is None


def test_a_day_begins_in_the_open_days() -> None:
    owner, chance = (VENUE, BTC), random.Random(1)  # noqa: S311 - made-up ticks
    new: dict[Any, Waiting] = {owner: waiting_of({Stream.TRADES: rows(1, 5)[Stream.TRADES]}, chance)}
    state, before = state_of(), state_of(BEGIN - DAY_US)
    assert Board().take(new, {owner: state}, BEGIN + 4 * SECOND, [Family.TRADES]) is None, "nothing is told of it yet"
    before.fold(BEGIN - SECOND, seconds=True)
    assert Board().take(new, {owner: before}, BEGIN + 4 * SECOND, [Family.TRADES]) is None, "of another day"
    assert Board().take(new, {}, BEGIN + 4 * SECOND, [Family.TRADES]) is None, "unknown"


def test_bars_of_a_minute_are_left_to_the_open_days_where_not_all_of_its_seconds_were_made_here() -> None:
    owners, chance = {(VENUE, BTC): 1, (VENUE, ETH): 2}, random.Random(1)  # noqa: S311 - made-up ticks

    def told(trouble: str) -> set[str]:
        """Return whose bar of the second minute is made."""
        board, states = Board(), {key: state_of() for key in owners}
        for key, number in owners.items():
            add(states[key], waiting_of({Stream.TRADES: rows(0, 1, seed=number)[Stream.TRADES]}, chance))
            states[key].fold(BEGIN + SECOND, seconds=True)
            assert len(list(states[key].take_closed(Family.TRADES, [Interval.S1]))) == 1
        found: set[str] = set()
        for at in range(1, 121):
            new: dict[Any, Waiting] = {
                key: waiting_of({Stream.TRADES: rows(at, at + 1, seed=number)[Stream.TRADES]}, chance)
                for key, number in owners.items()
            }
            edge = BEGIN + (at + 1) * SECOND
            if at == 80 and trouble == "interrupted":
                board.interrupt(VENUE)
            if at == 80 and trouble == "told again":
                board.distrust((VENUE, BTC))
            assert board.take(new, states, edge, [Family.TRADES]) is not None
            if at == 60:
                for key, state in states.items():
                    add(state, board.settle(key), told=True)
                    state.fold(edge, seconds=True)
                    board.forget(key, edge)
                    if trouble != "not told":
                        assert len(list(state.take_closed(Family.TRADES))) == 1
            for _, (_, parts) in board.minutes(VENUE, states, edge):
                found |= {str(owner[1]) for owner, frame in parts if frame["time"].dt.minute().to_list() == [1]}
        return found

    assert told("") == {str(BTC), str(ETH)}
    assert told("interrupted") == set()
    assert told("told again") == {str(ETH)}
    assert told("not told") == set(), "that before it comes first"


def lines(first: int, last: int) -> list[bytes]:
    """What arrives of two instruments from one ms after T on to before another."""
    found = []
    for at in range(-(-first // 250) * 250, last, 250):
        found += [trade(at, t=at // 250, p=str(100 + at // 250 % 7)), quote(at + 3)]
        if at % 500 == 0:
            found.append(trade(at + 40, symbol="ETHUSDT", t=at // 500, p=str(50 + at // 500 % 5)))
        if at % 1_000 == 0:
            found.append(mark(at + 5))
    return [over("a1", line) for line in found]


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Family, int]]:
    """Bars of a minute that were made of those of its seconds: the family, and of how many instruments."""
    found: list[tuple[Family, int]] = []
    make = Board.minutes

    def spied(self: Board, *arguments: Any) -> Iterator[tuple[Family, Bars]]:
        for family, bars in make(self, *arguments):
            found.append((family, len(bars.parts)))
            yield family, bars

    monkeypatch.setattr(Board, "minutes", spied)
    return found


@pytest.mark.parametrize(("seed", "trouble"), [(1, 1.0), (2, 1.0), (3, 1.0), (4, 0.0), (5, 0.2)])
def test_rows_are_those_of_the_build_whatever_ends_and_begins_again(
    lake: Lake, seed: int, trouble: float, boards: list[bool], minutes: list[tuple[Family, int]]
) -> None:
    chance = random.Random(seed)  # noqa: S311 - where batches end
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    wanted = WANTED

    def begin_maker() -> None:
        parts.begin_maker()
        parts.maker._seconds = lambda: wanted

    begin_maker()
    writer.block(opened(0, "a1", *STREAMS, "ethusdt@trade"))
    at = 250
    while at < END_MS:
        following = min(at + chance.choice([100, 300, 1_000, 1_000, 1_700]), END_MS)
        if batch := lines(at, following):
            writer.block(*batch)
        at = following
        parts.clock.now = (T + at) * 1_000
        what = chance.random() / trouble if trouble else 1.0
        if what < 0.01:
            parts.begin_normaliser()
        elif what < 0.02:
            begin_maker()
        parts.read(commit=chance.random() < 0.2)
        if 0.02 < what < 0.03:
            parts.wire.messages.clear()  # as when too many waited
        if 0.03 < what < 0.05:
            wanted = WANTED if wanted != WANTED else WANTED | {("slippage", "1s"), ("flow", "15s")}
        parts.make()
    parts.read(commit=True)
    parts.clock.now += 1_000_000
    parts.make()
    assert sum(boards) > 50
    if not trouble:
        assert minutes.count((Family.TRADES, 2)) >= 2
        assert minutes.count((Family.QUOTES, 1)) >= 2
    reader = Reader()
    reader(parts.rows)
    since, until = (T + 2_000) * 1_000, (T + END_MS - 2_000) * 1_000
    print(compare(lake, reader, since, until, seconds=False))  # noqa: T201 - how much was compared
    missing = [
        bar
        for bar in comparing.published(lake, since).keys() - reader.rows.keys()
        if (bar.dataset, bar.interval) in WANTED and bar.end <= until
    ]
    assert missing == []
    if not trouble:
        of_minutes = [told for bar, told in reader.rows.items() if bar.interval == "1m"]
        assert all([row.revision for row in told] == [*range(len(told))] for told in of_minutes), (
            "told once, then again"
        )
    assert {bar.symbol for bar in reader.rows if bar.interval == "1s"} == {str(BTC), str(ETH)}


@pytest.mark.parametrize(("shift", "back_at"), [(-3_600_000, None), (3_600_000, 45_000), (2_000, 31_000)])
def test_rows_end_as_the_published_ones_when_the_clock_is_set(
    lake: Lake, shift: int, back_at: int | None, boards: list[bool]
) -> None:
    writer, parts = Writer(lake.home, VENUE), Installation(lake)
    parts.maker._seconds = lambda: WANTED
    record(writer, parts, shift, back_at)
    assert sum(boards) > 20
    build(lake)
    assert wrong_rows(parts.rows, published(lake)) == []


def test_nothing_long_is_begun_where_a_second_is_about_to_be_over(lake: Lake) -> None:
    parts = Installation(lake)
    maker = LiveMaker(lake, lambda _rows: None, now=parts.clock, awaits_edges=True)

    def near(phase_ms: int, told_ago_s: int) -> bool:
        parts.clock.now = BEGIN + 10 * SECOND + phase_ms * 1_000
        maker._told_to = {VENUE: BEGIN + (10 - told_ago_s) * SECOND}
        return maker.is_edge_near

    assert [near(phase, 1) for phase in (0, 249, 250, 500, 879, 880, 999)] == [
        True,
        True,
        False,
        False,
        False,
        True,
        True,
    ]
    assert not near(100, 0), "its ticks have come"
    assert not near(100, 9), "nothing comes any more"
    maker._told_to = {}
    parts.clock.now = BEGIN
    assert not maker.is_edge_near, "no bars of a second are told"
    maker = LiveMaker(lake, lambda _rows: None, now=parts.clock)
    maker._told_to = {VENUE: BEGIN - SECOND}
    assert not maker.is_edge_near, "nor does anybody wait for them"


def test_what_is_left_rests_while_rows_of_a_minute_are_on_their_way(lake: Lake) -> None:
    parts = Installation(lake)
    maker = LiveMaker(lake, lambda _rows: None, now=parts.clock, awaits_edges=True)
    minute = BEGIN - BEGIN % (60 * SECOND)

    def rests(after_ms: int) -> bool:
        parts.clock.now = minute + after_ms * 1_000
        maker._told_to = {VENUE: parts.clock.now - parts.clock.now % SECOND}
        return maker.is_resting

    assert [rests(after) for after in (100, 449, 450, 800, 1_100, 1_449)] == [True, True, False, False, False, False]
    maker._longer = iter([])
    assert not rests(100), "these are the rows"
