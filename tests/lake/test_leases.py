from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update
from tests.lakes import BTC, VENUE, put_trades
from tests.oracle import trades_frame

import aperiodic
from aperiodic.engine.build import build
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, LakeError, ObjectKind, Scope, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import leases
from aperiodic.market import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
BTC_TICKS = Scope(VENUE, str(BTC), "ticks")
BTC_BARS = Scope(VENUE, str(BTC), "bars")
ETH_TICKS = Scope(VENUE, str(ETH), "ticks")
ETH_BARS = Scope(VENUE, str(ETH), "bars")
FIRST, SECOND = (
    trades_frame([(1_746_057_600_000_000 + at, 1_746_057_600_000_000 + at, "buy", 100.0, 1.0)]) for at in (1, 2)
)
HOLD = """
import os, sys
from pathlib import Path
from aperiodic.lake import Lake, Settings
with Lake.open(Settings(home=Path(sys.argv[1]))).writing():
    os._exit(0)
"""


@pytest.fixture
def other(lake: Lake) -> Iterator[Lake]:
    """The same installation, opened by somebody else."""
    with closing(Lake.open(Settings(home=lake.home))) as opened:
        yield opened


def change(lake: Lake, **values: Any) -> None:
    with begin_write(lake.engine) as connection:
        connection.execute(update(leases).values(**values))


def rows(lake: Lake) -> list[Any]:
    with lake.engine.connect() as connection:
        return list(connection.execute(select(leases)))


def code(lake: Lake, *scopes: Scope) -> str | None:
    """Why leases are refused; None when they are not."""
    try:
        with lake.writing(*scopes):
            return None
    except LakeError as error:
        return error.code


def held_trades(lake: Lake) -> int:
    return sum(record.rows for record in lake.current(ObjectKind.TICKS))


def test_a_series_has_one_writer_and_different_series_have_several(lake: Lake, other: Lake) -> None:
    with lake.writing(BTC_TICKS, ETH_BARS):
        assert code(other, BTC_TICKS) == "busy"
        assert code(other, BTC_BARS, ETH_BARS) == "busy"
        assert code(other) == "busy"
        assert code(other, BTC_BARS, ETH_TICKS) is None
        with begin_write(other.engine):
            pass  # keys can be made while a build runs
    with lake.writing():
        assert code(other, BTC_BARS) == "busy"
    assert code(other, BTC_TICKS) is None


def test_one_instrument_is_built_while_another_is_written(lake: Lake, other: Lake) -> None:
    put_trades(lake, FIRST)
    with lake.writing(ETH_BARS, ETH_TICKS):
        assert build(other, Selection(symbol=BTC)).files > 0
        put_trades(lake, FIRST, symbol=ETH)
    with lake.writing(ETH_BARS), pytest.raises(LakeError) as caught:
        build(other)
    assert caught.value.code == "busy"


def test_what_is_not_leased_is_not_written(lake: Lake) -> None:
    with lake.writing(BTC_BARS, ETH_TICKS), pytest.raises(ValueError, match="No lease is held on the ticks of"):
        put_trades(lake, FIRST)
    assert held_trades(lake) == 0


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_writer_that_slept_past_the_end_of_its_lease_commits_nothing(
    lake: Lake,
    other: Lake,
    taken_over: bool,
) -> None:
    with lake.writing(BTC_TICKS):
        change(lake, expires_at=1)
        if taken_over:
            with other.writing(BTC_TICKS):
                put_trades(other, FIRST)
        with pytest.raises(LakeError) as caught:
            put_trades(lake, trades_frame([(1_746_057_600_000_003, 1_746_057_600_000_003, "buy", 1.0, 1.0)] * 2))
    assert caught.value.code == "lease_lost"
    assert held_trades(lake) == (1 if taken_over else 0)


@pytest.mark.parametrize(("ended", "code"), [(True, "lease_lost"), (False, "object_missing")])
def test_what_gave_way_to_another_writer_is_not_called_lost(lake: Lake, other: Lake, ended: bool, code: str) -> None:
    put_trades(lake, FIRST)
    (record,) = lake.current(ObjectKind.TICKS)

    def read_late() -> None:
        with lake.writing(BTC_TICKS):
            if ended:
                change(lake, expires_at=1)
                with other.writing(BTC_TICKS):
                    put_trades(other, SECOND)
            else:
                lake.store.delete(record.path)
            lake.store.read(record.path)

    with pytest.raises(LakeError) as caught:
        read_late()
    assert caught.value.code == code


def test_who_took_a_lease_over_keeps_it_when_the_sleeper_wakes_up(lake: Lake, other: Lake) -> None:
    with lake.writing(BTC_TICKS):
        change(lake, expires_at=1)
        with other.writing(BTC_TICKS):
            with pytest.raises(LakeError):
                put_trades(lake, SECOND)
            put_trades(other, FIRST)
            (row,) = rows(lake)
            assert row.fence == 2
    assert held_trades(lake) == 1


def test_a_lease_is_renewed_while_it_is_held(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aperiodic.lake.leases._RENEWED_S", 0.01)
    with lake.writing(BTC_TICKS):
        soon = rows(lake)[0].expires_at - 1_000_000
        change(lake, expires_at=soon)
        deadline = time.monotonic() + 30
        while rows(lake)[0].expires_at <= soon:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        put_trades(lake, FIRST)


def test_a_process_that_ended_anyhow_holds_nothing(lake: Lake) -> None:
    assert subprocess.run([sys.executable, "-c", HOLD, str(lake.home)], check=False).returncode == 0
    assert rows(lake)[0].expires_at > 0
    assert code(lake, BTC_TICKS) is None


def test_another_host_is_waited_for_until_its_lease_ends(lake: Lake) -> None:
    assert code(lake, BTC_TICKS) is None
    change(lake, owner="elsewhere 1 - x", expires_at=1 << 60)
    assert code(lake, BTC_TICKS) == "busy"
    change(lake, expires_at=1)
    assert code(lake, BTC_TICKS) is None


def test_importing_the_package_needs_no_module_of_one_system() -> None:
    package = Path(aperiodic.__file__).parent
    lines = {line for path in package.rglob("*.py") for line in path.read_text().splitlines()}
    assert "import fcntl" not in lines
