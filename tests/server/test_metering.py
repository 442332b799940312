from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from aperiodic.accounts.keys import create_key, find_key, public_id_of
from aperiodic.accounts.usage import Issued, UsageSum, read_usage
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.server.middleware.metering import Metering
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEVER_S = 3600.0
ONE = Issued(1, 2, 10)


@pytest.fixture
def metering(lake: Lake) -> Iterator[Metering]:
    """Counts that are written only when the test says so."""
    made = Metering(lake.engine, NEVER_S)
    yield made
    made.stop()


def recorded(lake: Lake) -> list[UsageSum]:
    with lake.engine.connect() as connection:
        return read_usage(connection, date(2020, 1, 1), date(2100, 1, 1))


def test_counts_reach_the_ledger_with_the_last_use(lake: Lake, metering: Metering) -> None:
    with begin_write(lake.engine) as connection:
        name = public_id_of(create_key(connection, b"p" * 32, "pro", "", account="acme"))
    metering.used(name)
    for dataset in ("ohlcv", "ohlcv", "flow"):
        metering.count(name, "data", dataset, ONE)
    assert recorded(lake) == []
    assert metering.flush()
    today = datetime.now(UTC).date().isoformat()
    assert recorded(lake) == [UsageSum(today, "acme", name, "data", 3, 6, 30)]
    with lake.engine.connect() as connection:
        key = find_key(connection, name)
    assert key is not None
    assert abs((key.last_used_at or 0) / 1e6 - time.time()) < 60
    assert metering.flush()
    assert recorded(lake)[0].requests == 3


def test_counts_of_many_threads_add_up_while_they_are_written(lake: Lake, metering: Metering) -> None:
    def work(number: int) -> None:
        for _ in range(200):
            metering.count(f"{number % 3}", "data", "ohlcv", ONE)
        metering.flush()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert metering.flush()
    rows = recorded(lake)
    assert [row.requests for row in rows] == [1600, 1600, 1600]
    assert sum(row.bytes for row in rows) == 24 * 200 * 10


def test_a_locked_ledger_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Lake.open(ServerSettings(home=tmp_path), busy_s=0.05)) as lake:
        metering = Metering(lake.engine, NEVER_S)
        metering.count("a", "data", "ohlcv", ONE)
        metering.used("a")
        with begin_write(lake.engine), caplog.at_level(logging.WARNING):
            assert not metering.flush()
        assert "kept for the next try" in caplog.text
        metering.count("a", "data", "ohlcv", ONE)
        assert metering.flush()
        assert [row.requests for row in recorded(lake)] == [2]
        metering.stop()


def test_memory_is_bounded_while_the_ledger_cannot_be_written(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    metering = Metering(lake.engine, NEVER_S, max_entries=2)
    for name in ("a", "b", "c", "a", "d"):
        metering.count(name, "data", "", ONE)
        metering.used(name)
    assert metering.flush()
    assert [(row.public_id, row.requests) for row in recorded(lake)] == [("a", 2), ("b", 1)]
    assert "2 counts of usage were dropped" in caplog.text
    metering.stop()


def test_the_thread_writes_by_itself_and_once_more_at_the_end(lake: Lake) -> None:
    metering = Metering(lake.engine, 0.02)
    metering.count("a", "data", "", ONE)
    deadline = time.monotonic() + 10
    while not recorded(lake) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [row.requests for row in recorded(lake)] == [1]
    metering.stop()
    slow = Metering(lake.engine, NEVER_S)
    slow.count("a", "data", "", ONE)
    slow.stop()
    assert [row.requests for row in recorded(lake)] == [2]
    slow.count("a", "data", "", ONE)
    slow.stop()
    assert [row.requests for row in recorded(lake)] == [3]


def test_what_is_lost_at_the_end_is_said(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    metering = Metering(lake.engine, NEVER_S)
    metering.count("a", "data", "", ONE)
    with lake.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE usage")
    metering.stop()
    assert "are lost" in caplog.text


def test_stopping_what_never_counted_is_nothing(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    Metering(lake.engine).stop()
    assert not caplog.records
