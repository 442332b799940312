"""Two hosts that record and two that build share a ledger and a bucket, while they sleep, die and lose the time."""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from sqlalchemy import func, select
from tests.crash import host as job
from tests.lakes import SOAK, hashes
from tests.recordings import Market

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.schema import objects
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import PostgresServer
    from tests.s3 import S3Server

pytestmark = pytest.mark.crash

TROUBLES: Final = 4 if SOAK == 1 else 10 * SOAK
TROUBLES_AT_ONCE: Final = 8
"""So many befall one installation before its work may end."""
LASTS_S: Final = 2.0
"""A lease that is not renewed."""
RECORDERS_SHARE: Final = 0.8
SYMBOLS: Final = ("perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT")
EDGES: Final = {"host-a": (-60, -40, -20, 0, 20, 40, 60), "host-b": (-60, -30, 0, 30, 60)}
"""Seconds around midnight, the edge of a month, at which each host begins another file."""
LATER_US: Final = {"host-a": 0, "host-b": 3_000}
"""So much later each host hears of everything."""
BUILDERS: Final = ("host-c", "host-d")
KINDS: Final = (ObjectKind.TICKS, ObjectKind.DAY_BARS, ObjectKind.BARS)
Recordings = dict[str, list["Path"]]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """What each host records of the same markets, in the order in which it does."""
    found: Recordings = {}
    for name, edges in EDGES.items():
        folder = tmp_path_factory.mktemp(name)
        markets = [Market(seed=seed, symbol=Symbol.parse(symbol).base + "USDT") for seed, symbol in enumerate(SYMBOLS)]
        found[name] = []
        for number, (begin, end) in enumerate(pairwise(edges)):
            for market, symbol in zip(markets, SYMBOLS, strict=True):
                file = folder / f"{number}-{Symbol.parse(symbol).base}.gz"
                market.record(file, begin, end - begin, snapshot=number == 0)
                found[name].append(_later(file, LATER_US[name]))
    return found


def _later(file: Path, by_us: int) -> Path:
    with gzip.open(file, "rt") as lines:
        parted = [line.split(" ", 1) for line in lines]
    with gzip.open(file, "wt", compresslevel=1) as lines:
        lines.writelines(f"{int(time) + by_us} {rest}" for time, rest in parted)
    return file


@pytest.fixture(scope="module")
def expected(recordings: Recordings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one writer ends with."""
    with closing(Lake.open(Settings(home=tmp_path_factory.mktemp("one")))) as lake:
        for files in recordings.values():
            import_recordings(lake, Exchange.BINANCE_FUTURES, files)
        build(lake)
        return hashes(lake, *KINDS)


class _Host:
    """A host, whose process is begun again when it dies."""

    def __init__(self, role: str, name: str, home: Path, arguments: list[str], said: Counter[str]) -> None:
        self.role, self.name = role, name
        self._command = [sys.executable, job.__file__, role, name, str(home), str(LASTS_S), *arguments]
        self._said = said
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            self._said.update(line.strip() for line in process.stdout)

    def trouble(self, moments: random.Random) -> str:
        """Do something to it."""
        kind = moments.choice(("pause", "pause", "kill", "clock"))
        if kind == "kill":
            self.process.kill()
            self.process.wait()
            self.begin()
        elif kind == "clock":
            self.process.send_signal(signal.SIGUSR1)
        else:
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(LASTS_S * 1.5)
            self.process.send_signal(signal.SIGCONT)
        return f"{self.role} {kind}"


def test_several_hosts_end_where_one_writer_does(
    recordings: Recordings, expected: dict[str, str], postgres: PostgresServer, s3: S3Server, tmp_path: Path
) -> None:
    moments = random.Random(7 if SOAK == 1 else time.time_ns())  # noqa: S311 - when what happens
    done: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for number in range(TROUBLES):
        settings = Settings(
            home=tmp_path / f"{number}", store=s3.url(f"hosts-{number}"), ledger=postgres.new_database()
        )
        _run(settings, recordings, moments, done, said)
        _check(settings, expected)
        if done.total() >= TROUBLES:
            break
    assert done.total() >= TROUBLES
    print(dict(done), dict(said))  # noqa: T201 - a soak tells


def _run(
    settings: Settings, recordings: Recordings, moments: random.Random, done: Counter[str], said: Counter[str]
) -> None:
    """Let all hosts do their work once, with trouble until it is done."""
    over, most = settings.home / "over", min(done.total() + TROUBLES_AT_ONCE, TROUBLES)
    Lake.open(settings).close()  # makes the ledger
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APERIODIC_STORE", str(settings.store))
        environment.setenv("APERIODIC_LEDGER", str(settings.ledger))
        recorders = [
            _Host("record", name, settings.home / name, [str(file) for file in files], said)
            for name, files in recordings.items()
        ]
        builders = [_Host("build", name, settings.home / name, [str(over), *SYMBOLS], said) for name in BUILDERS]
        try:
            while living := [each for each in recorders + builders if each.process.poll() is None]:
                recording = [each for each in living if each.role == "record"]
                if not recording:
                    over.touch()
                time.sleep(moments.uniform(0, 1))
                if done.total() < most:
                    # Recorders have less to do than builders.
                    victims = recording if recording and moments.random() < RECORDERS_SHARE else living
                    with suppress(ProcessLookupError):  # it came to its end meanwhile
                        done[moments.choice(victims).trouble(moments)] += 1
            assert [each.process.returncode for each in recorders + builders] == [0] * 4
        finally:
            for each in recorders + builders:
                each.process.kill()
                each.process.wait()


def _check(settings: Settings, expected: dict[str, str]) -> None:
    with closing(Lake.open(settings)) as lake:
        found = hashes(lake, *KINDS)
        names = [objects.c[name] for name in ("kind", "exchange", "symbol", "dataset", "clock", "interval", "period")]
        # A revision that was computed anew with the same result has a row more, of the same content.
        of_one = select(*names).group_by(*names, objects.c.revision)
        with lake.engine.connect() as connection:
            twice = connection.execute(of_one.having(func.count(objects.c.sha256.distinct()) > 1)).all()
        for kind in KINDS:
            for entry in lake.current(kind):
                assert len(lake.store.read(entry.path)) == entry.size
    assert twice == []
    assert found == expected
