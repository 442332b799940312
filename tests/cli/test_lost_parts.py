"""A part of an open day is gone from the store: what the error says to do puts it back."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.normalising.test_putting_back import OPEN_S, lose, parts_of, record
from tests.lakes import VENUE, hashes

from aperiodic.engine.days_told import tell
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.merging import STATES
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.recordings import list_recordings
from aperiodic.market import Source

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def prepare(command: Command, source: Source) -> dict[str, str]:
    """Record and normalise, lose every third part, and return the digests of before."""
    with closing(Lake.open(Settings(home=command.home))) as lake:
        record(lake, files=2, source=source)
        before = hashes(lake, *ObjectKind)
        lose(lake, parts_of(lake)[::3])
    return before


def held(command: Command) -> dict[str, str]:
    with closing(Lake.open(Settings(home=command.home))) as lake:
        for part in parts_of(lake):
            lake.store.check(part.path)
        return hashes(lake, *ObjectKind)


@pytest.mark.parametrize("source", [Source.RECORDING, Source.SIMULATED])
def test_the_command_of_the_hint_puts_parts_back(command: Command, source: Source) -> None:
    before = prepare(command, source)
    failed = command.run("build")
    assert failed.code == 1
    hint = failed.err.replace("\n", " ").partition("hint: Run: aperiodic ")[2].partition(" (")[0]
    assert hint == "ledger verify --repair"
    asked = command.run("ledger", "verify")
    assert "hint: Run: aperiodic ledger verify --repair" in asked.err
    done = command.run(*shlex.split(hint))
    assert done.code == 0, done.out
    assert "(read again from recordings)" in done.out
    assert held(command) == before
    assert command.run("build").code == 0
    with closing(Lake.open(Settings(home=command.home))) as lake:  # and nothing comes twice
        Normaliser(lake, grace_s=OPEN_S, source=source).run_once()
        assert parts_of(lake) == []


def test_the_other_command_of_the_hint_does_too(command: Command) -> None:
    before = prepare(command, Source.RECORDING)
    paths = [str(recording.path) for recording in list_recordings(command.home)]
    refused = command.run("import", "recording", "--exchange", VENUE, *paths)
    assert (refused.code, "ticks of its time cannot be read" in refused.err) == (1, True)
    assert "aperiodic import … --again" in refused.err
    done = command.run("import", "recording", "--exchange", VENUE, *paths, "--again")
    assert done.code == 0, done.err
    assert "were lost, " in done.out
    assert parts_of_events(held(command)) == parts_of_events(before)
    assert command.run("build").code == 0
    after = ticks(command)
    with closing(Lake.open(Settings(home=command.home / "fresh"))) as lake:
        import_recordings(lake, VENUE, [Path(path) for path in paths])
        assert after == hashes(lake, ObjectKind.TICKS)


def parts_of_events(digests: dict[str, str]) -> dict[str, str]:
    """Those of parts; states of a day become one object when a recording of it is imported."""
    return {
        path: digest
        for path, digest in digests.items()
        if path.startswith("tick_parts") and not any(f"/{stream}/" in path for stream in STATES)
    }


def ticks(command: Command) -> dict[str, str]:
    with closing(Lake.open(Settings(home=command.home))) as lake:
        return hashes(lake, ObjectKind.TICKS)


def test_what_programs_cannot_read_is_told_by_status_and_doctor(command: Command) -> None:
    prepare(command, Source.RECORDING)
    with closing(Lake.open(Settings(home=command.home))) as lake:
        now = max(part.last_local or 0 for part in parts_of(lake))
        builder = OpenDayBuilder(lake, lambda: now)
        builder.round()
        builder.close()
        assert builder.unreadable
        tell(lake.home, "build", (), builder.unreadable)
    status, doctor = command.run("status"), command.run("doctor", "--no-hosts")
    for said in (status.out, doctor.out):
        words = " ".join(said.split())
        assert "perpetual-BTC-USDT:USDT of binance-futures" in words
        assert "aperiodic ledger verify --repair" in words
    assert doctor.code == 1
    (told,) = json.loads(command.run("status", "--json").out)["unreadable_open_days"]
    assert told["code"] == "object_missing"
