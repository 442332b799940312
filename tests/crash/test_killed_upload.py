"""`kill -9` while recordings are put into a bucket and removed from the disk: nothing is lost, and the next start goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import trade
from tests.engine.importing.segments import Writer, compressed, opened, over
from tests.lakes import SOAK, VENUE, hashes
from tests.soak import time_is_up

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.parts import compact_ticks
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.recording_store import list_stored
from aperiodic.lake.recordings import decode_sidecar, list_recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3 import S3Server

pytestmark = pytest.mark.crash

KILLS = 4 * SOAK
RECORDINGS = 6
COMMAND = "from aperiodic.cli import main; main()"


def lines_of(number: int) -> list[bytes]:
    first = [] if number else [opened(0.1, "a1", "btcusdt@trade")]
    return first + [over("a1", trade(n), ms=120_000 * number) for n in range(number * 5 + 1, number * 5 + 6)]


class Watched(list[tuple[str, str]]):
    """Requests of a server, with what is done once so many concern recordings."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.kill_at = 0

    def append(self, request: tuple[str, str]) -> None:
        super().append(request)
        if "/recordings/" in request[1]:
            self.seen += 1
            if self.process is not None and self.seen == self.kill_at:
                self.process.kill()


def command(home: Path, store: str, *words: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "APERIODIC_HOME": str(home),
        "APERIODIC_STORE": store,
        "APERIODIC_RECORDINGS_ON_DISK_DAYS": "0",
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "normalise", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_what_is_recorded_is_whole_on_the_disk_or_in_the_bucket_whenever_it_is_killed(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5 if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    home, store = tmp_path / "home", s3.url("killed")
    home.mkdir()
    requests = Watched()
    monkeypatch.setattr(s3, "requests", requests)
    writer, contents, written = Writer(home, VENUE), dict[str, bytes](), list[bytes]()
    with closing(Lake.open(Settings(home=home, store=store))) as lake:

        def record() -> None:
            for _ in range(RECORDINGS):
                lines = lines_of(len(contents))
                writer.block(*lines)
                written.extend(lines)
                sealed = writer.seal()
                contents[sealed.key] = sealed.path.read_bytes()

        def lost() -> list[str]:
            here = {each.key: each.path.read_bytes() for each in list_recordings(home)}
            there = {each.recording.key: lake.store.read(each.recording.key) for each in list_stored(lake.store, home)}
            return [key for key, content in contents.items() if content not in (here.get(key), there.get(key))]

        for turn in range(KILLS):
            if turn % 3 == 0:
                record()
            if time_is_up():
                break
            requests.seen, requests.kill_at = 0, chance.randrange(1, 12)
            requests.process = command(home, store, "--follow", "--every", "0.5")
            requests.process.communicate(timeout=120)
            assert requests.process.returncode == -9
            assert lost() == []
        requests.process = None
        for _ in range(2):
            last = command(home, store)
            _, said = last.communicate(timeout=120)
            assert last.returncode == 0, said.decode()
        assert lost() == []
        held = {each.recording.key: each.sidecar for each in list_stored(lake.store, home)}
        assert sorted(held) == sorted(contents)
        here = [each.key for each in list_recordings(home)]
        assert here == sorted(contents)[-len(here) :]
        assert len(here) < len(contents)
        assert sorted(path.name for path in home.rglob("*.zst*")) == sorted(
            name.rpartition("/")[2] for key in here for name in (key, f"{key}.json")
        )
        assert all(decode_sidecar(lake.store.read(f"{key}.json")) == sidecar for key, sidecar in held.items())
        compact_ticks(lake)
        whole = tmp_path / "whole.zst"
        whole.write_bytes(compressed(written))
        with closing(Lake.open(Settings(home=tmp_path / "at once"))) as other:
            import_recordings(other, VENUE, [whole])
            compact_ticks(other)
            assert hashes(lake, ObjectKind.TICKS) == hashes(other, ObjectKind.TICKS)
