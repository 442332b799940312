"""Segments of one recorder that are imported one by one, with a hand-over at their edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import mark
from tests.engine.importing.segments import compressed, live, opened, over
from tests.lakes import BTC, VENUE

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.parts import read_day
from aperiodic.lake.recordings import recording_before
from aperiodic.market import Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.lake import Lake

MARKS = "btcusdt@markPrice@1s"
HOUR_NS = 3_600_000_000_000
START_NS = 472_200 * HOUR_NS
FIRST = (opened(0, "a1", MARKS), over("a1", mark(1)), opened(2, "b2", MARKS), over("a1", mark(3)))
"""The frame of the moment 3 comes over the other connection when the next file has begun."""
SECOND = (
    *(opened(3.05, name, MARKS, continued=True) for name in ("a1", "b2")),
    live(3.05, "a1", MARKS),
    over("b2", mark(3), ms=0.1),
    over("a1", mark(5)),
    over("b2", mark(5), ms=0.1),
)


def written(path: Path, *lines: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(compressed(lines))
    return path


@pytest.mark.parametrize("place", ["beside", "hour before", "given", "gone"])
def test_what_the_other_connection_brings_after_the_edge_is_not_taken_again(
    lake: Lake, tmp_path: Path, place: str
) -> None:
    names = [f"vm-s0-{START_NS - 5}.zst", f"vm-s0-{START_NS}.zst"]
    hour = tmp_path / "2023-11-13"
    folders = {"hour before": tmp_path / "2023-11-13" / "23", "given": tmp_path / "elsewhere"}
    first = written(folders.get(place, hour / "00") / names[0], *FIRST)
    second = written(tmp_path / "2023-11-14" / "00" / names[1], *SECOND)
    if place == "beside":
        first = first.rename(second.parent / first.name)
    if place == "given":
        import_recordings(lake, VENUE, [second, first])
    else:
        import_recordings(lake, VENUE, [first])
        if place == "gone":
            first.unlink()
        import_recordings(lake, VENUE, [second])
    found = read_day(lake, Stream.MARK_PRICE, VENUE, BTC, day_at(19_451))
    assert found is not None
    assert found.height == (4 if place == "gone" else 3)


def test_a_file_before_that_cannot_be_read_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / f"vm-s0-{START_NS - 5}.zst").write_bytes(b"no zstd")
    second = written(tmp_path / f"vm-s0-{START_NS}.zst", *SECOND)
    import_recordings(lake, VENUE, [second])
    found = read_day(lake, Stream.MARK_PRICE, VENUE, BTC, day_at(19_451))
    assert found is not None
    assert found.height == 2


def test_the_file_before_is_the_nearest_of_the_same_writer(tmp_path: Path) -> None:
    for name in ("vm-s0-5.zst", "vm-s0-7.zst", "vm-s0-8.zst.open", "vm-s1-8.zst", "other-s0-8.zst", "vm-s0-10.zst"):
        (tmp_path / name).touch()
    assert recording_before(tmp_path / "vm-s0-9.zst") == tmp_path / "vm-s0-7.zst"
    assert recording_before(tmp_path / "vm-s0-5.zst") is None
    assert recording_before(tmp_path / "BINANCE_FUTURES.ws.1.0") is None
    elsewhere = tmp_path / "x" / "vm-s0-8.zst"
    assert recording_before(tmp_path / "vm-s0-9.zst", [elsewhere]) == elsewhere
    assert recording_before(tmp_path / f"vm-s0-{10**20 - 1}.zst") == tmp_path / "vm-s0-10.zst"
