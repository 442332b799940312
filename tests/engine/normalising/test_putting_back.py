"""Parts of open days that the store has lost come back from the recordings with the very bytes that they had."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import depth, mark, quote, snapshot, trade
from tests.engine.importing.segments import Writer, closed, opened, over, rest
from tests.engine.normalising.test_normaliser import STREAMS, URL
from tests.lakes import VENUE, hashes

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.normalising.closing import JOINED, join_small_parts
from aperiodic.engine.normalising.putting_back import lost_parts, put_back, recordings_as_given
from aperiodic.engine.parts import compact_ticks
from aperiodic.engine.repair import repair
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.recording_store import put
from aperiodic.lake.recordings import Recording, list_recordings
from aperiodic.lake.verify import verify_store
from aperiodic.market import Source, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3 import S3Server

    from aperiodic.lake import ObjectRecord

OPEN_S = 1e9
"""So long days stay open: those of the recordings are gone by."""
INTEREST = "https://fapi.binance.com/fapi/v1/openInterest?symbol=BTCUSDT"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path / "home"))) as opened_lake:
        yield opened_lake


def interest(n: int) -> bytes:
    body = {"symbol": "BTCUSDT", "openInterest": f"{1_000 + n % 3}.5", "time": 1_680_652_700_000 + n}
    return f"{1_680_652_700_000_000 + n * 1_000} {json.dumps(body)}\n".encode()


def moment(n: int, connection: str = "a1", *, ms: float = 0) -> list[bytes]:
    """What comes at one moment: trades and quotes without delay, books, prices and rates, open interest."""
    lines = [over(connection, line, ms=ms) for line in (trade(n), quote(n), depth(n))]
    if n % 5 == 0:
        lines += [over(connection, mark(n), ms=ms), rest(n + 0.2 + ms, interest(n), INTEREST)]
    return lines


def record(lake: Lake, files: int = 4, moments: int = 12, source: Source = Source.RECORDING) -> list[Recording]:
    """Record and normalise block by block; one connection takes over from another in the middle of the third file."""
    writer, found = Writer(lake.home, VENUE), []
    normaliser = Normaliser(lake, grace_s=OPEN_S, source=source)
    connection = "a1"
    for file in range(files):
        for block in range(3):
            lines: list[bytes] = []
            for n in range(file * moments + block * moments // 3 + 1, file * moments + (block + 1) * moments // 3 + 1):
                if n == 1:
                    lines.append(opened(0.1, "a1", *STREAMS))
                lines += moment(n, connection)
                if n == 3:
                    lines.append(rest(3.5, snapshot(2), URL))
                if file == 2 and block == 1:
                    if connection == "a1":
                        lines.append(opened(n + 0.05, "b2", *STREAMS))
                    lines += moment(n, "b2", ms=0.1)
                    connection = "b2"
            writer.block(*lines)
            normaliser.run_once()
        if file == 2:
            writer.block(closed(file * moments + moments + 0.5, "a1", "handed over", "us"))
        found.append(writer.seal())
    normaliser.run_once()
    return found


def parts_of(lake: Lake) -> list[ObjectRecord]:
    return lake.current(ObjectKind.TICK_PARTS)


def lose(lake: Lake, parts: list[ObjectRecord]) -> None:
    assert parts
    for part in parts:
        lake.store.delete(part.path)


def test_each_part_of_each_stream_comes_back_with_its_bytes(lake: Lake) -> None:
    record(lake)
    before, parts = hashes(lake, *ObjectKind), parts_of(lake)
    assert {part.key.dataset for part in parts} == set(Stream)
    assert len(parts) > 4 * len(Stream)
    for part in parts:
        lose(lake, [part])
        assert put_back(lake, lost_parts(lake), [lake.home]) == {part.path}, part.key
        assert lake.store.read(part.path)
    assert hashes(lake, *ObjectKind) == before
    assert verify_store(lake.store, lake.engine, deep=True).sound


def test_all_parts_come_back_at_once_and_the_day_is_the_same(lake: Lake, tmp_path: Path) -> None:
    record(lake)
    shutil.copytree(lake.home, tmp_path / "undisturbed")
    lose(lake, parts_of(lake))
    report = verify_store(lake.store, lake.engine)
    done = repair(lake, report)
    assert (sorted(done.put_back), done.lost) == (sorted(report.missing), [])
    compact_ticks(lake)
    with closing(Lake.open(Settings(home=tmp_path / "undisturbed"))) as other:
        compact_ticks(other)
        assert hashes(lake, ObjectKind.TICKS) == hashes(other, ObjectKind.TICKS)


def test_a_damaged_part_is_replaced(lake: Lake) -> None:
    record(lake, files=1)
    part = parts_of(lake)[0]
    file = lake.home / "store" / part.path
    file.write_bytes(b"x" + file.read_bytes()[1:])
    report = verify_store(lake.store, lake.engine, deep=True)
    assert repair(lake, report).put_back == [part.path]
    lake.store.check(part.path)


def test_parts_that_were_joined_come_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aperiodic.engine.normalising.closing._MANY", 4)
    record(lake)
    while join_small_parts(lake):
        pass
    joined = [part for part in parts_of(lake) if part.reason == JOINED]
    assert joined
    lose(lake, parts_of(lake))
    assert put_back(lake, lost_parts(lake), [lake.home]) == {part.path for part in parts_of(lake)}


def test_parts_of_two_recorders_come_back(lake: Lake) -> None:
    for shard in ("a", "b"):
        writer = Writer(lake.home, VENUE, shard)
        for file in range(2):
            begins = [] if file else [opened(0.1, f"{shard}1", *STREAMS), rest(3.5, snapshot(2), URL)]
            lines = [line for n in range(file * 9 + 1, file * 9 + 10) for line in moment(n, f"{shard}1", ms=0.01)]
            writer.block(*begins, *lines)
            Normaliser(lake, grace_s=OPEN_S).run_once()
            writer.seal()
    Normaliser(lake, grace_s=OPEN_S).run_once()
    lose(lake, parts_of(lake))
    assert put_back(lake, lost_parts(lake), [lake.home]) == {part.path for part in parts_of(lake)}


def test_other_recordings_put_nothing_back(lake: Lake, tmp_path: Path) -> None:
    record(lake)
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as other:
        writer = Writer(other.home, VENUE)
        writer.block(opened(0.1, "a1", *STREAMS), *(line for n in range(2, 40, 2) for line in moment(n)))
        writer.seal()
    part = next(part for part in parts_of(lake) if part.key.dataset == "trades")
    lose(lake, [part])
    assert put_back(lake, lost_parts(lake), [tmp_path / "other"]) == set()
    assert not lake.store.exists(part.path)


def test_renamed_recordings_put_parts_back_too(lake: Lake, tmp_path: Path) -> None:
    recordings = record(lake)
    given = []
    for number, recording in enumerate(recordings):
        given.append(tmp_path / f"copy {len(recordings) - number}.zst")
        shutil.copy(recording.path, given[-1])
    shutil.rmtree(lake.home / "recordings")
    lose(lake, parts_of(lake))
    with recordings_as_given(VENUE, given) as folder:
        assert put_back(lake, lost_parts(lake), [folder]) == {part.path for part in parts_of(lake)}


def test_importing_the_recordings_after_it_changes_nothing_of_the_day(lake: Lake, tmp_path: Path) -> None:
    recordings = record(lake)
    shutil.copytree(lake.home, tmp_path / "undisturbed")
    lose(lake, parts_of(lake)[::2])
    paths = [recording.path for recording in recordings]
    with recordings_as_given(VENUE, paths) as folder:
        put_back(lake, lost_parts(lake), [folder])
    import_recordings(lake, VENUE, paths, again=True)
    compact_ticks(lake)
    with closing(Lake.open(Settings(home=tmp_path / "undisturbed"))) as other:
        compact_ticks(other)
        assert hashes(lake, ObjectKind.TICKS) == hashes(other, ObjectKind.TICKS)


def test_recordings_of_the_store_put_parts_back_where_the_disk_has_none(tmp_path: Path, s3: S3Server) -> None:
    with closing(Lake.open(Settings(home=tmp_path / "home", store=s3.url("put-back")))) as lake:
        for recording in record(lake, files=2):
            asyncio.run(put(lake.store, recording))
        shutil.rmtree(lake.home / "recordings")
        lose(lake, parts_of(lake))
        report = verify_store(lake.store, lake.engine)
        assert sorted(repair(lake, report).put_back) == sorted(report.missing)
        assert list_recordings(lake.home) == []
        assert not [path for path in lake.home.iterdir() if path.name.startswith(".recordings")]
    s3.recover()
