from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.backfill.archive_server import Archive, archive_server
from tests.engine.backfill.test_days import DAY, SWAP, ms, okx_trade, put_okx_trades, put_trades, trade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

FUTURES = ("backfill", "--exchange", "binance-futures", "--symbols", "BTCUSDT", "--streams", "trades")
DAYS = ("--start", "2025-05-01", "--end", "2025-05-03")
INSTRUMENTS = {
    "code": "0",
    "data": [{"instId": SWAP, "instType": "SWAP", "ctType": "linear", "ctVal": "0.01", "ctMult": "1", "state": "live"}],
}


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    with archive_server() as server:
        for name in ("BINANCE_VISION", "OKX_STATIC", "HYPERLIQUID", "HYPERLIQUID_NODE", "TARDIS"):
            monkeypatch.setenv(f"APERIODIC_ARCHIVE_{name}", server.url)
        monkeypatch.setenv("APERIODIC_REST_OKX_PERPS", server.url)
        yield server


def test_days_are_counted_and_the_next_step_is_named(command: Command, archive: Archive) -> None:
    for offset in (0, 2):
        put_trades(archive, DAY + timedelta(days=offset), trade(offset + 1, ms(DAY, offset * 86_400)))
    done = command.run(*FUTURES, *DAYS)
    assert done.code == 0
    assert done.out == (
        "trades perpetual-BTC-USDT:USDT: days imported 2; not in the archive 1 (2025-05-02) (ticks: trades 2)\n"
        "Next: aperiodic build\n"
    )
    assert "Days looked at: 3 of 3 (100 %)" in done.err
    done = command.run(*FUTURES, *DAYS)
    assert done.out == "trades perpetual-BTC-USDT:USDT: days held before 2; not in the archive 1 (2025-05-02)\n"
    assert "archive" in command.run("status").out


def test_what_the_archive_changed_is_told_and_taken_only_if_asked_for(command: Command, archive: Archive) -> None:
    put_trades(archive, DAY, trade(1, ms(DAY)))
    one = (*FUTURES, "--start", "2025-05-01", "--end", "2025-05-01")
    assert command.run(*one).code == 0
    path = put_trades(archive, DAY, trade(1, ms(DAY)) + trade(2, ms(DAY, 1)))
    done = command.run(*one)
    assert done.code == 1
    assert f"the archive has changed {path}; what was imported stays as it is." in done.out
    assert "To take over what the archive has changed: the same command with --again\n" in done.out
    assert command.run(*one, "--no-check").code == 0
    done = command.run(*one, "--again")
    assert (done.code, "(ticks: trades 2)" in done.out) == (0, True)


def test_a_refused_day_is_named_with_its_reason(command: Command, archive: Archive) -> None:
    path = put_trades(archive, DAY, trade(1, ms(DAY)))
    archive.put(path, b"<html>", checksum=True)
    done = command.run(*FUTURES, *DAYS)
    assert done.code == 1
    assert "refused: trades perpetual-BTC-USDT:USDT 2025-05-01: BTCUSDT-trades-2025-05-01.zip is a page" in done.err
    assert "days not in the archive 2 (2025-05-02, 2025-05-03); refused 1 (2025-05-01)" in done.out


def test_lines_put_aside_are_shown(command: Command, archive: Archive) -> None:
    put_trades(archive, DAY, trade(1, ms(DAY)) + trade(2, ms(DAY), maker="perhaps"))
    done = command.run(*FUTURES, "--start", "2025-05-01", "--end", "2025-05-01")
    assert done.code == 0
    assert "2025-05-01: rejected lines: unknown_side 1\n" in done.out
    shown = command.run("quarantine", "list").out
    assert "BTCUSDT-trades-2025-05-01.zip" in shown
    assert "perhaps" in command.run("quarantine", "show", "BTCUSDT-trades-2025-05-01.zip").out


def test_money_is_spent_only_if_that_is_said(command: Command, archive: Archive) -> None:
    paid = ("backfill", "--exchange", "hyperliquid-perps", "--symbols", "BTC,ETH", "--streams", "mark_price")
    done = command.run(*paid, "--start", "2025-05-01", "--end", "2025-05-31")
    assert done.code == 1
    assert "The reader pays for this archive: 31 files of about 0.21 GiB together, about 0.02 US dollars" in done.err
    assert archive.asked == []
    done = command.run(*paid, "--start", "2025-05-01", "--end", "2025-05-01", "--yes")
    assert done.code == 0
    assert "not in the archive 1" in done.out
    assert archive.headers[0]["x-amz-request-payer"] == "requester"


def test_sizes_of_contracts_are_asked_for_or_given(command: Command, archive: Archive, tmp_path: Path) -> None:
    put_okx_trades(archive, DAY, okx_trade(1, ms(DAY)))
    put_okx_trades(archive, date(2025, 5, 2), okx_trade(2, ms(DAY, 60_000)))
    swaps = ("backfill", "--exchange", "okx-perps", "--symbols", SWAP, "--streams", "trades", *DAYS[:2], "--end")
    done = command.run(*swaps, "2025-05-01")
    assert done.code == 1
    assert "warning: okx-perps does not tell its instruments" in done.err
    assert "refused 1 (2025-05-01)" in done.out
    told = json.dumps(INSTRUMENTS).encode()
    (tmp_path / "instruments.json").write_bytes(told)
    done = command.run(*swaps, "2025-05-01", "--instruments", tmp_path / "instruments.json")
    assert (done.code, "imported 1" in done.out) == (0, True)
    archive.files["api/v5/public/instruments"] = told
    done = command.run(*swaps, "2025-05-01", "--again")
    assert (done.code, "imported 1" in done.out) == (0, True)


def test_the_commands_of_the_page_run(command: Command, archive: Archive) -> None:
    page = (Path(__file__).parents[2] / "docs" / "backfilling.md").read_text()
    commands = [line.split()[1:] for line in page.splitlines() if line.startswith("aperiodic backfill ")]
    assert len(commands) == 3
    archive.files["api/v5/public/instruments"] = json.dumps(INSTRUMENTS).encode()
    for arguments in commands:
        done = command.run(*arguments)
        assert (done.code, "not in the archive" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--symbols", "BTC", "--streams", "trades"), "does not trade"),
        (("--symbols", "spot-BTC-USDT"), "does not trade"),
        (("--symbols", "BTCUSDT", "--streams", "trade"), "Did you mean 'trades'?"),
        (("--symbols", "BTCUSDT", "--streams", "book"), "have no book"),
        (("--symbols", ","), "No instrument is named"),
        (("--symbols", "BTCUSDT", "--streams", "quotes"), "hold none of these days"),
    ],
)
def test_mistakes_are_told_before_anything_is_fetched(
    command: Command, archive: Archive, arguments: tuple[str, ...], code: str
) -> None:
    done = command.run("backfill", "--exchange", "binance-futures", *DAYS, *arguments)
    assert done.code == 1
    assert code in done.err
    assert archive.asked == []


def test_an_address_that_is_none_is_named_by_its_setting(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_ARCHIVE_BINANCE_VISION", "here")
    done = command.run(*FUTURES, *DAYS)
    assert done.code == 1
    assert "APERIODIC_ARCHIVE_BINANCE_VISION" in done.err


def test_a_range_of_many_years_is_refused(command: Command) -> None:
    done = command.run(*FUTURES, "--start", "2010-01-01", "--end", "2025-01-01")
    assert (done.code, "over 4,000 days" in done.err) == (1, True)
