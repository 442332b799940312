from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from tests.engine.importing.frames import depth, mark, quote, snapshot, trade
from tests.engine.importing.segments import T, Writer, closed, compressed, opened, over, rest
from tests.lakes import BTC, SOAK, VENUE, hashes

from aperiodic.completeness.gaps import read_spans
from aperiodic.completeness.recorded import read_recorded
from aperiodic.engine.handover import Announced, HandedOver
from aperiodic.engine.importing import import_recordings, repeats
from aperiodic.engine.normalising import Normaliser, commits, places
from aperiodic.engine.parts import append_ticks, compact_ticks, read_day
from aperiodic.lake import Lake, LakeError, ObjectKind, Settings
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.imports import read_imports
from aperiodic.lake.recordings import list_recordings
from aperiodic.market import Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAMS = ("btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@0ms", "btcusdt@markPrice@1s")
URL = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
DAY = day_at(T // 86_400_000)


def lines_of(count: int = 60, *, broken: int = 0) -> list[bytes]:
    """A recording of `count` moments over one connection, then another that takes over in the middle."""
    lines = [opened(0.1, "a1", *STREAMS)]
    begins, ends = count // 3, count * 2 // 3
    for n in range(1, count):
        both = begins <= n <= ends
        each = [trade(n), quote(n), depth(n), *([mark(n)] if both or n % 5 == 0 else [])]
        if n == begins:
            lines.append(opened(n - 0.5, "b2", *STREAMS))
        if n <= ends:
            lines += [over("a1", line) for line in each]
        if n == 3:
            lines.append(rest(3.5, snapshot(2), URL))
        if n >= begins:
            lines += [over("b2", line, ms=0.1) for line in each]
        if n == ends:
            lines.append(closed(n + 0.5, "a1", "hand-over", "us"))
    lines += [b"%d b2 {broken\n" % ((T + count) * 1_000_000)] * broken
    return lines


def opened_lake(folder: Path) -> closing[Lake]:
    return closing(Lake.open(Settings(home=folder)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """An installation into which the lines were imported as one file."""
    folder = tmp_path_factory.mktemp("whole")
    with opened_lake(folder) as lake:
        path = folder / "whole.zst"
        path.write_bytes(compressed(lines_of()))
        import_recordings(lake, VENUE, [path])
        yield lake


def intervals(lake: Lake) -> dict[Any, Any]:
    with lake.engine.connect() as connection:
        return {
            series: [(item.first_time, item.last_time, item.begins, item.ends) for item in found]
            for series, found in read_recorded(connection, VENUE, [str(BTC)], 0, 1 << 60).items()
        }


def spans(lake: Lake) -> list[Any]:
    with lake.engine.connect() as connection:
        return [read_spans(connection, VENUE, str(BTC), stream) for stream in ("trades", "book")]


def test_an_open_segment_becomes_parts_while_it_grows(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    normaliser = Normaliser(lake)
    writer.block(*lines[:100])
    normaliser.run_once()
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    before = held.height
    writer.block(*lines[100:])
    normaliser.run_once()
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert (0 < before < held.height, held.height) == (True, 59)
    assert normaliser.progress.shards == 1
    normaliser.run_once()
    (checkpoint,) = checkpoints(lake)
    assert checkpoint.offset == writer.recording.path.stat().st_size  # type: ignore[union-attr]


def test_a_book_that_stays_unknown_is_so_between_two_looks_too(lake: Lake, tmp_path: Path) -> None:
    book = "btcusdt@depth@0ms"
    before = [
        *(opened(0, "a1", book), opened(0, "b1", "btcusdt@markPrice@1s"), over("b1", mark(1))),
        *(over("a1", depth(number)) for number in (1, 2)),
        *(rest(2.5, snapshot(1), URL), over("a1", depth(3)), over("a1", depth(5)), over("b1", mark(800))),
    ]
    after = [
        *(over("a1", depth(number), ms=1_000) for number in (6, 7)),
        *(rest(1_008, snapshot(7), URL), over("a1", depth(8), ms=1_001), over("a1", depth(9), ms=1_001)),
    ]
    writer, normaliser = Writer(lake.home, VENUE), Normaliser(lake)
    for lines in (before, after):
        writer.block(*lines)
        normaliser.run_once()
    file = tmp_path / "at once.zst"
    file.write_bytes(compressed([*before, *after]))
    with opened_lake(tmp_path / "at once") as other:
        import_recordings(other, VENUE, [file])
        found, expected = (
            [(first, last) for first, last, *_ in intervals(each)[str(BTC), "book"]] for each in (lake, other)
        )
    assert len(expected) == 2
    assert found == expected


def test_what_tells_of_gaps_is_known_before_it_is_committed(lake: Lake) -> None:
    """Commits come sooner then."""
    writer, normaliser = Writer(lake.home, VENUE), Normaliser(lake)
    writer.block(opened(0, "a1", STREAMS[0]), *(over("a1", trade(number)) for number in (1, 2)))
    normaliser.run_once()
    ((key, shard),) = normaliser._shards.items()
    found = []
    for line in (
        over("a1", trade(3)),
        over("a1", trade(5)),  # the one before is missing
        over("a1", trade(6)),
        closed(7, "a1"),
        opened(8, "b1", STREAMS[0]),
        over("b1", trade(9)),
        over("b1", trade(10)),
    ):
        writer.block(line)
        normaliser._list()
        assert normaliser._read(key, shard) > 0
        found.append(shard.has_gaps)
        shard.commit()
        assert not shard.has_gaps
    assert found == [False, True, False, True, True, True, False]


def checkpoints(lake: Lake) -> list[Any]:
    with lake.engine.connect() as connection:
        return list(read_checkpoints(connection).values())


def test_a_block_that_is_not_whole_yet_waits(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    writer.block(*lines[:50])
    assert writer.recording is not None
    block = compressed(lines[50:])
    with writer.recording.path.open("ab") as file:
        file.write(block[:-10])
    normaliser = Normaliser(lake)
    normaliser.run_once()
    (checkpoint,) = checkpoints(lake)
    with writer.recording.path.open("ab") as file:
        file.write(block[-10:])
    normaliser.run_once()
    (later,) = checkpoints(lake)
    assert checkpoint.offset < later.offset
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held.height == 59


@settings(max_examples=12 * SOAK, phases=(Phase.explicit, Phase.generate))
@example(seed=0, edges=[1, 117, 39, 57], files=3, kept_ms=60_000)  # a first recording that only opens a connection
@example(seed=874, edges=[67, 139, 147, 219], files=1, kept_ms=8)  # reading begins within the hand-over
@given(
    seed=st.integers(0, 1 << 30),
    edges=st.lists(st.integers(1, 300), max_size=8),
    files=st.integers(1, 3),
    kept_ms=st.sampled_from([8, 60_000]),
)
def test_wherever_it_is_cut_and_killed_the_ticks_are_those_of_one_import(
    tmp_path_factory: pytest.TempPathFactory, whole: Lake, seed: int, edges: list[int], files: int, kept_ms: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch, opened_lake(folder) as lake:
        patch.setattr(places, "_KEPT_EVERY_US", kept_ms * 1_000)
        patch.setattr(repeats, "_REMEMBERED_US", kept_ms * 500)
        cut_and_kill(lake, seed, edges, files)
        compact_ticks(lake)
        assert hashes(lake, ObjectKind.TICKS) == hashes(whole, ObjectKind.TICKS)
        assert spans(lake) == spans(whole)
        assert intervals(lake).keys() == intervals(whole).keys()
        for series, found in intervals(whole).items():
            assert [item[2:] for item in intervals(lake)[series]] == [item[2:] for item in found], series


def cut_and_kill(lake: Lake, seed: int, edges: list[int], files: int) -> None:
    """Write the lines in pieces and read them now and then, often by a normaliser that knows only what was committed."""
    chance = random.Random(seed)  # noqa: S311 - where to kill
    lines = lines_of()
    writer = Writer(lake.home, VENUE)
    normaliser = Normaliser(lake)
    bounds = sorted({0, *(edge for edge in edges if edge < len(lines)), len(lines)})
    for place, (begin, end) in enumerate(pairwise(bounds)):
        writer.block(*lines[begin:end])
        if files > 1 and place % files == 0:
            writer.seal()
        if chance.random() < 0.7:
            normaliser.run_once()
        if chance.random() < 0.5:
            normaliser = Normaliser(lake)  # as after a kill: nothing but what was committed is known
    if writer.recording is not None:
        writer.seal()
    Normaliser(lake).run_once()
    Normaliser(lake).run_once()


def test_a_commit_that_could_not_be_made_is_made_later(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(lake.home, VENUE)
    writer.block(*lines_of())
    normaliser = Normaliser(lake)

    def fail(*_args: object, **_more: object) -> int:
        raise LakeError("Somebody writes.", code="busy")

    with monkeypatch.context() as patch:
        patch.setattr(commits, "append_ticks", fail)
        with pytest.raises(LakeError):
            normaliser.run_once()
    assert checkpoints(lake) == []
    normaliser.run_once()
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held.height == 59


class Sender:
    """Takes what is handed over."""

    run = "one"
    is_read = True

    def __init__(self) -> None:
        self.received: list[int] = []

    def tell(self, message: HandedOver | Announced) -> None:
        if isinstance(message, HandedOver):
            self.received.append(message.received)


def test_ticks_of_the_next_segment_are_passed_on_while_a_commit_lasts(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every hour a new segment is begun: rows of bars must not wait for a commit then."""
    lines, writer, sender = lines_of(), Writer(lake.home, VENUE), Sender()
    normaliser = Normaliser(lake, every_s=0.01, sender=sender)  # type: ignore[arg-type]
    begun, may_end, over = threading.Event(), threading.Event(), threading.Event()

    def wait(*args: Any, **more: Any) -> list[str]:
        begun.set()
        assert may_end.wait(60)
        return append_ticks(*args, **more)

    monkeypatch.setattr(commits, "append_ticks", wait)
    writer.block(*lines[:100])
    work = threading.Thread(target=normaliser.follow, args=(over.is_set, over.wait))
    work.start()
    try:
        assert begun.wait(60)
        writer.block(*lines[100:150])
        writer.seal()
        writer.block(*lines[150:])
        last = int(lines[-1].split(b" ")[0]) // 1_000
        deadline = time.monotonic() + 60
        while last not in sender.received:
            assert time.monotonic() < deadline, "reading waits for the commit"
            time.sleep(0.01)
        assert checkpoints(lake) == []
    finally:
        may_end.set()
        over.set()
        work.join(60)
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held.height == 59
    with lake.engine.connect() as connection:
        assert sum(record.lines for record in read_imports(connection)) == len(lines)


def test_a_sealed_segment_counts_as_imported_and_its_rejected_lines_are_kept(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of(broken=2)
    normaliser = Normaliser(lake)
    writer.block(*lines[:-1])
    normaliser.run_once()
    with lake.engine.connect() as connection:
        (growing,) = read_imports(connection)
    assert growing.rejected == {"malformed": 1}
    writer.block(lines[-1])
    sealed = writer.seal()
    normaliser.run_once()
    with lake.engine.connect() as connection:
        (record,) = read_imports(connection)
    assert (record.name, record.rejected, record.lines) == (sealed.path.name, {"malformed": 2}, len(lines))
    (held,) = lake.current(ObjectKind.QUARANTINE)
    assert held.rows == 2
    compact_ticks(lake)
    (report,) = import_recordings(lake, VENUE, [sealed.path])
    assert report.already_imported


def test_a_damaged_segment_is_told_and_the_next_one_is_read(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    writer.block(*lines[:100])
    assert writer.recording is not None
    with writer.recording.path.open("ab") as file:
        file.write(compressed(lines[100:120])[:-7] + b"?" * 50)
    writer.seal()
    writer.block(*lines[120:])
    writer.seal()
    Normaliser(lake).run_once()
    with lake.engine.connect() as connection:
        first, second = read_imports(connection)
    assert (first.rejected, second.rejected) == ({"corrupt_file": 1}, {})
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held["sequence"].max() == 59


def test_closed_days_become_one_object_and_late_ticks_are_merged_into_it(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    normaliser = Normaliser(lake, grace_s=3_600)
    writer.block(*lines[:150])
    normaliser.run_once()
    normaliser.run_once()
    assert lake.current(ObjectKind.TICK_PARTS) == []
    (record,) = lake.current(ObjectKind.TICKS, dataset="trades")
    before = record.rows
    writer.block(*lines[150:])
    normaliser.run_once()
    normaliser.run_once()
    (record,) = lake.current(ObjectKind.TICKS, dataset="trades")
    assert (before < record.rows, record.rows, record.revision) == (True, 59, 2)


def test_the_parts_of_an_open_day_are_joined_when_they_are_many(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from aperiodic.engine.normalising import closing  # noqa: PLC0415

    monkeypatch.setattr(closing, "_MANY", 4)
    writer = Writer(lake.home, VENUE)
    lines = lines_of()
    normaliser = Normaliser(lake, grace_s=1e9)
    for begin in range(0, len(lines), 30):
        writer.block(*lines[begin : begin + 30])
        normaliser.run_once()
    assert len(lake.current(ObjectKind.TICK_PARTS, dataset="trades")) < 4
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held.height == 59


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_file_is_passed_over(lake: Lake, kind: str) -> None:
    writer = Writer(lake.home, VENUE)
    writer.block(*lines_of())
    writer.seal()
    (sealed,) = list_recordings(lake.home)
    strange = sealed.path.with_name(sealed.path.name.replace(str(sealed.start_ns), str(sealed.start_ns - 1)))
    strange.mkdir() if kind == "folder" else strange.symlink_to(lake.home / "moved away")
    Normaliser(lake).run_once()
    held = read_day(lake, Stream.TRADES, VENUE, BTC, DAY)
    assert held is not None
    assert held.height == 59


def test_a_capture_that_has_ended_is_not_behind(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    writer.block(*lines_of())
    normaliser = Normaliser(lake)
    normaliser.run_once()
    assert normaliser.progress.behind_s is not None
    writer.seal()
    normaliser.run_once()
    assert normaliser.progress.behind_s is None
