"""Damaged objects: found whenever they are read, made anew where that can be done, and never computed with."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.lakes import hashes, put_ticks
from tests.recordings import Market

from aperiodic.completeness.gaps import read_spans
from aperiodic.completeness.recorded import read_recorded
from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.repair import repair
from aperiodic.lake import Lake, LakeError, ObjectKind, ObjectReader, ObjectRecord, Settings
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.imports import read_imports
from aperiodic.lake.verify import verify_store
from aperiodic.market import Exchange, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aperiodic.completeness.gaps import Span
    from aperiodic.completeness.recorded import Recorded

DAMAGES = int(os.environ.get("APERIODIC_DAMAGES", "24"))
"""Objects that are damaged one way or another; 1,000 take about a quarter of an hour."""

AT_ONCE = 12
COMPUTED = (ObjectKind.DAY_BARS, ObjectKind.BARS)
IMPORTED = (ObjectKind.TICKS, ObjectKind.BOOK_STATE, ObjectKind.QUARANTINE)
VENUE = Exchange.BINANCE_FUTURES
BTC = "perpetual-BTC-USDT:USDT"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two recordings over the edge of a month; the first has a line that becomes no tick."""
    folder = tmp_path_factory.mktemp("recordings")
    market = Market(seed=5)
    first = market.record(folder / "before.gz", -60, 60, snapshot=True, broken_lines=1)
    return [first, market.record(folder / "after.gz", 0, 60, snapshot=False)]


@pytest.fixture(scope="module")
def original(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("original") / "home"
    with closing(Lake.open(Settings(home=home))) as lake:
        import_recordings(lake, VENUE, files)
        build(lake)
    return home


@pytest.fixture
def lake(original: Path, tmp_path: Path) -> Iterator[Lake]:
    """A copy of an installation with objects of every kind."""
    shutil.copytree(original, tmp_path / "home")
    with closing(Lake.open(Settings(home=tmp_path / "home"))) as opened:
        yield opened


def file_of(lake: Lake, record: ObjectRecord) -> Path:
    return lake.home / "store" / record.path


def flip(file: Path, moments: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
    file.write_bytes(data)


def cut(file: Path, moments: random.Random) -> None:
    file.write_bytes(file.read_bytes()[: moments.randrange(file.stat().st_size)])


def lose(file: Path, _moments: random.Random) -> None:
    file.unlink()


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(LakeError) as caught:
        action()
    return str(caught.value.code)


def flipped(lake: Lake, kind: ObjectKind, **filters: str) -> ObjectRecord:
    record = lake.current(kind, **filters)[0]
    flip(file_of(lake, record), random.Random(1))  # noqa: S311 - where to flip
    return record


def test_damage_of_every_kind_of_object_is_found_and_repaired(lake: Lake, files: list[Path]) -> None:
    expected = hashes(lake, *ObjectKind)
    choose = random.Random(11)  # noqa: S311 - what to damage
    for _ in range(0, DAMAGES, AT_ONCE):
        damaged: dict[str, ObjectRecord] = {}
        while len(damaged) < AT_ONCE:
            # As many of each kind, though there are far more published files than others.
            records = lake.current(choose.choice([*COMPUTED, *IMPORTED]))
            record = choose.choice(records)
            if record.path not in damaged:
                damaged[record.path] = record
                choose.choice([flip, flip, cut, lose])(file_of(lake, record), choose)
        for path in damaged:
            assert refused(partial(lake.store.read, path)) in UNUSABLE
            assert refused(partial(lake.store.check, path)) in UNUSABLE
            with ObjectReader(lake.store) as reader:
                assert refused(partial(reader.scan, path)) in UNUSABLE
        report = verify_store(lake.store, lake.engine, deep=True)
        assert {*report.missing, *report.damaged} == set(damaged)
        repaired = repair(lake, report)
        lost = {path for path, record in damaged.items() if record.key.kind in IMPORTED}
        assert lost <= set(repaired.lost)
        if lost:
            import_recordings(lake, VENUE, files, again=True)
            report = verify_store(lake.store, lake.engine, deep=True)
            assert repair(lake, report).lost == []
        assert hashes(lake, *ObjectKind) == expected
        assert verify_store(lake.store, lake.engine, deep=True).sound


def test_damaged_updates_of_a_book_are_found_and_replaced_by_the_file_given_again(
    files: list[Path], tmp_path: Path
) -> None:
    with closing(Lake.open(Settings(home=tmp_path))) as lake:
        before, after = files
        import_recordings(lake, VENUE, [after])
        (updates,) = lake.current(ObjectKind.BOOK_UPDATES)
        flip(file_of(lake, updates), random.Random(1))  # noqa: S311 - where to flip
        assert verify_store(lake.store, lake.engine, deep=True).damaged == [updates.path]
        (report,) = import_recordings(lake, VENUE, [before])
        assert report.notes == [f"book_updates_unreadable:{BTC}:{int(updates.key.period)}"]
        import_recordings(lake, VENUE, [after], again=True)
        assert verify_store(lake.store, lake.engine, deep=True).sound
        whole = hashes(lake, ObjectKind.TICKS)
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as lake:
        import_recordings(lake, VENUE, files)
        assert hashes(lake, ObjectKind.TICKS) == whole


def test_nothing_is_built_from_damaged_ticks_and_the_rest_is(lake: Lake) -> None:
    expected = hashes(lake)
    ticks = flipped(lake, ObjectKind.TICKS, dataset=Stream.TRADES)
    good = {path: digest for path, digest in hashes(lake, *COMPUTED).items() if "quotes" in path or "l1_" in path}
    with pytest.raises(LakeError) as caught:
        build(lake, again=True)
    assert (caught.value.code, caught.value.path) == ("object_damaged", ticks.path)
    assert good.items() <= hashes(lake).items()
    assert hashes(lake) == expected, "what was published before is still what is published"


@pytest.mark.parametrize("workers", [None, 1])
def test_a_damaged_day_is_computed_anew_when_its_month_is_published(lake: Lake, workers: int | None) -> None:
    expected = hashes(lake)
    day = flipped(lake, ObjectKind.DAY_BARS, dataset="mark_price")
    for record in lake.current(ObjectKind.BARS, dataset="basis"):
        file_of(lake, record).unlink()
    build(lake, workers=workers)
    lake.store.check(day.path)
    assert hashes(lake) == expected
    assert verify_store(lake.store, lake.engine, deep=True).sound


@pytest.mark.parametrize("kind", COMPUTED)
@pytest.mark.parametrize("damage", [lose, cut])
def test_what_is_not_whole_in_the_store_is_out_of_date(
    lake: Lake, kind: ObjectKind, damage: Callable[[Path, random.Random], None]
) -> None:
    expected = hashes(lake)
    record = lake.current(kind)[0]
    damage(file_of(lake, record), random.Random(1))  # noqa: S311 - where to cut
    build(lake)
    assert verify_store(lake.store, lake.engine, deep=True).sound
    assert hashes(lake) == expected
    assert build(lake).files == 0


def test_building_again_computes_everything_and_changes_nothing(lake: Lake) -> None:
    expected = hashes(lake)
    report = build(lake, again=True)
    assert report.files == len(lake.current(ObjectKind.BARS))
    assert report.days == 2
    assert hashes(lake) == expected


def test_an_import_refuses_a_day_that_it_cannot_read_unless_files_are_given_again(
    lake: Lake, files: list[Path], tmp_path: Path
) -> None:
    expected = hashes(lake, *ObjectKind)
    spans, recorded = read_all_spans(lake), read_all_recorded(lake)
    damaged = flipped(lake, ObjectKind.TICKS, dataset=Stream.TRADES, period="2025-04-30")
    market = Market(seed=9)
    other = market.record(tmp_path / "other.gz", -120, 10, snapshot=False)
    assert refused(lambda: import_recordings(lake, VENUE, [other])) == "object_damaged"
    assert hashes(lake, *ObjectKind) == expected
    assert (read_all_spans(lake), read_all_recorded(lake)) == (spans, recorded)

    import_recordings(lake, VENUE, files[:1], again=True)
    lake.store.check(damaged.path)
    assert hashes(lake, *ObjectKind) == expected
    assert (read_all_spans(lake), read_all_recorded(lake)) == (spans, recorded)


def test_ticks_that_give_way_to_others_while_they_are_looked_at_are_not_lost(
    lake: Lake, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = lake.current(ObjectKind.TICKS, dataset=Stream.TRADES, period="2025-04-30")
    looked_at = []
    check = lake.store.check

    def check_late(path: str) -> None:
        looked_at.append(path)
        if len(looked_at) == 1:
            put_ticks(lake, Stream.TRADES, lake.store.read_parquet(before.path).head(-1))
        check(path)

    monkeypatch.setattr(lake.store, "check", check_late)
    (report,) = import_recordings(lake, VENUE, files[:1])
    assert report.already_imported
    assert before.path in looked_at
    with pytest.raises(LakeError, match="not in the store"):
        check(before.path)


def test_what_a_lost_day_held_besides_the_file_given_again_is_not_said_to_be_held(
    lake: Lake, files: list[Path]
) -> None:
    expected = hashes(lake, *ObjectKind)
    spans, recorded = read_all_spans(lake), read_all_recorded(lake)
    flipped(lake, ObjectKind.TICKS, dataset=Stream.TRADES, period="2025-05-01")
    market = Market(seed=5)
    market.record(files[0].parent / "again.gz", -60, 60, snapshot=True, broken_lines=1)
    half = market.record(files[0].parent / "half.gz", 0, 20, snapshot=False)
    import_recordings(lake, VENUE, [half], again=True)
    (left,) = read_all_spans(lake)["trades"]
    (whole,) = spans["trades"]
    assert left.last_sequence < whole.last_sequence
    assert read_all_recorded(lake)[BTC, "trades"] != recorded[BTC, "trades"]
    with lake.engine.connect() as connection:
        assert {record.name for record in read_imports(connection)} == {"before.gz", "half.gz"}
    (report, _) = sorted(import_recordings(lake, VENUE, files), key=lambda report: report.name)
    assert not report.already_imported
    assert (read_all_spans(lake), read_all_recorded(lake)) == (spans, recorded)
    assert {path: digest for path, digest in hashes(lake, ObjectKind.TICKS).items() if "trades" in path} == {
        path: digest for path, digest in expected.items() if path.startswith("ticks/trades")
    }


def read_all_recorded(lake: Lake) -> dict[tuple[str, str], list[Recorded]]:
    with lake.engine.connect() as connection:
        return read_recorded(connection, VENUE, [BTC], 0, 1 << 60)


def read_all_spans(lake: Lake) -> dict[str, list[Span]]:
    with lake.engine.connect() as connection:
        return {stream: read_spans(connection, VENUE, BTC, stream) for stream in (Stream.TRADES, Stream.BOOK)}
