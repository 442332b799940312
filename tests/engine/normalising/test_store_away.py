"""The mount of the store drops while recordings are followed: what is read waits, and nothing is lost or taken twice."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.segments import Writer, compressed
from tests.engine.normalising.test_normaliser import lines_of
from tests.lakes import VENUE, hashes

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser, Progress
from aperiodic.engine.parts import compact_ticks
from aperiodic.engine.uploading import Uploader, read_told
from aperiodic.lake import Lake, ObjectKind, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = lines_of()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def lake(tmp_path: Path, folder: Path) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path / "home", store=str(folder)))) as opened:
        yield opened


def drop(folder: Path) -> None:
    folder.rename(folder.with_name("mounted"))
    folder.mkdir()


def come_back(folder: Path) -> None:
    folder.rmdir()  # nothing was written into it
    folder.with_name("mounted").rename(folder)


def imported(folder: Path) -> dict[str, str]:
    """Digests of the ticks as one file gives them."""
    with closing(Lake.open(Settings(home=folder))) as lake:
        (folder / "whole.zst").write_bytes(compressed(LINES))
        import_recordings(lake, VENUE, [folder / "whole.zst"])
        return hashes(lake, ObjectKind.TICKS)


@pytest.mark.parametrize("begins_away", [False, True])
def test_following_waits_for_the_store_and_loses_nothing(
    lake: Lake, folder: Path, tmp_path: Path, *, begins_away: bool
) -> None:
    writer = Writer(lake.home, VENUE)
    writer.block(*LINES[:100])
    if begins_away:
        drop(folder)
    told: list[Progress] = []
    stages: list[str] = []

    def wait(_seconds: float) -> None:
        ticks, waits = (told[-1].ticks, told[-1].waits) if told else (0, None)
        if not stages and (waits if begins_away else ticks):
            stages.append("begun")
            writer.block(*LINES[100:])
            writer.seal()
            if not begins_away:
                drop(folder)
        elif stages == ["begun"] and waits:
            assert "aperiodic-store.json" in waits
            stages.append("waits")
            come_back(folder)
        elif stages == ["begun", "waits"] and not waits and told[-1].ticks:
            stages.append("over")

    Normaliser(lake, every_s=0.0, committed=told.append).follow(lambda: stages[-1:] == ["over"], wait)
    assert stages == ["begun", "waits", "over"]
    compact_ticks(lake)
    assert hashes(lake, ObjectKind.TICKS) == imported(tmp_path / "whole")


def test_recordings_wait_for_the_store_and_stay_on_the_disk(lake: Lake, folder: Path) -> None:
    writer = Writer(lake.home, VENUE)
    writer.block(*LINES)
    recording = writer.seal()
    Normaliser(lake).run_once()
    now = [0.0]
    uploader = Uploader(lake, on_disk_days=0, clock=lambda: now[0])
    drop(folder)
    asyncio.run(uploader.run_once())
    (told,) = read_told(lake.home)
    assert told.last_failure is not None
    assert (told.waiting, told.failing, told.last_failure.code) == (1, 1, "store_gone")
    assert recording.path.exists()
    come_back(folder)
    now[0] = 600.0
    asyncio.run(uploader.run_once())
    assert read_told(lake.home)[0].waiting == 0
    assert lake.store.read(recording.key) == recording.path.read_bytes()
